"""Contrastive distillation with a queue."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from distiller.errors import UserError
from distiller.models.pooling import TextFeature
from distiller.objectives import views
from distiller.objectives.intermediate.loss import ByFeatureConfig, LearnedHiddenLoss, LearnedHiddenLossConfig


class SimpleContrastive(ByFeatureConfig, LearnedHiddenLossConfig):
    """-log softmax of the cosine of a student's embedding with its teacher's, among those of other texts too.

    Contrastive Representation Distillation (CRD, Tian et al. 2020) with a queue of the teacher's last `queue` vectors,
    as in MoCo (He et al. 2020), for CRD's memory of one per text, and with InfoNCE for its binary loss. `temperature`
    divides the cosines, `feature` is the vector of a text. The queue is at most half an epoch: else it would hold texts
    as negatives of themselves.
    """

    takes_any_width: ClassVar[bool] = True

    type: Literal["simple-contrastive"] = "simple-contrastive"
    feature: TextFeature = "cls"
    embedding: Annotated[int, Field(ge=1)] = 128
    temperature: Annotated[float, Field(gt=0)] = 0.07
    queue: Annotated[int, Field(ge=1)] = 256

    def check_texts(self, count: int) -> None:
        if self.queue > count // 2:
            mend = f"{self.queue} is more than half of the {count} training texts, which would be told from themselves"
            raise UserError("objective.intermediate.queue", f"{mend}; give at most {count // 2}")

    def build(self) -> "SimpleContrastiveLoss":
        return SimpleContrastiveLoss(self)


class SimpleContrastiveLoss(LearnedHiddenLoss):
    """-log(e^(x_i·y_i / T) / Σ_j e^(x_i·y_j / T)), mean over texts; j goes over the batch and the queue.

    x and y are linear embeddings of student and teacher, both learned, of length 1. In training the teacher's vectors
    enter the queue after the loss of their batch. MoCo keeps embeddings. Here they would age as their layer learns, and
    be told from new ones by that alone; the vectors of a frozen teacher do not age. One text with nothing in the queue
    has no negatives: 0, and a gradient of 0.
    """

    queue: Tensor
    seen: Tensor

    def __init__(self, config: SimpleContrastive) -> None:
        super().__init__(config.learning_rate_factor)
        self._config = config

    def add_weights(self, student_width: int, teacher_width: int) -> None:
        self.student = nn.Linear(student_width, self._config.embedding)
        self.teacher = nn.Linear(teacher_width, self._config.embedding)
        self.register_buffer("queue", torch.zeros(self._config.queue, teacher_width))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))  # how many have entered the queue so far

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        self.ensure_drawn(student_states, teacher_states)
        x, y = views.texts(student_states, teacher_states, mask, self._config.feature)
        scores = _embedded(self.student, x) @ _embedded(self.teacher, torch.cat([y, self.queue])).mT
        empty = torch.arange(len(self.queue), device=x.device) >= self.seen
        scores = scores.masked_fill(functional.pad(empty, (len(y), 0)), -torch.inf) / self._config.temperature
        own = torch.arange(len(y), device=x.device)
        # A sum, and divided: of no text a mean is no number, and every weight has to take part.
        loss = functional.cross_entropy(scores, own, reduction="sum") / max(len(y), 1)
        if self.training:
            self._remember(y)
        return loss

    def _remember(self, vectors: Tensor) -> None:
        """The newest take the places of the oldest."""
        last = vectors[-len(self.queue) :]
        places = self.seen + torch.arange(len(last), device=last.device)
        self.queue[places % len(self.queue)] = last.to(self.queue.dtype)
        self.seen += len(last)


def _embedded(layer: nn.Module, vectors: Tensor) -> Tensor:
    return functional.normalize(layer(vectors), dim=-1)
