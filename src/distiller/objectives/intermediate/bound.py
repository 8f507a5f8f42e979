"""What the losses that are bounds on mutual information share: `mi`, `infonce`, `nwj`, `tuba`."""

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from distiller.errors import UserError
from distiller.objectives import views
from distiller.objectives.critics import AnyCritic, LogBaseline, Separable
from distiller.objectives.intermediate.loss import ByFeatureConfig, LearnedHiddenLoss, LearnedHiddenLossConfig


class BoundConfig(ByFeatureConfig, LearnedHiddenLossConfig):
    """Base of their configs.

    `feature` is what stands for a text: `cls`, `mean`, or `tokens`: `positions` of each text, in as many groups, which
    are told from those of other texts; with `same_text_negatives` all are told from each other.

    `negatives` are what a pair is told from: the other texts of the `batch`, or besides them the teacher's features of
    `extra_negatives` other training texts, drawn anew for each batch from the teacher store: `store`. Then it is the
    student's feature that is told which of the teacher's is its own, and a baseline depends on the student's.
    """

    takes_any_width: ClassVar[bool] = True
    may_be_negative: ClassVar[bool] = True

    feature: views.Feature = "cls"
    positions: Annotated[int, Field(ge=1)] = 4
    same_text_negatives: bool = False
    negatives: Literal["batch", "store"] = "batch"
    extra_negatives: Annotated[int, Field(ge=1)] = 1024
    critic: AnyCritic = Separable()

    @property
    def further(self) -> int:
        return self.extra_negatives if self.negatives == "store" else 0

    @model_validator(mode="after")
    def _texts_from_the_store(self) -> "BoundConfig":
        if self.negatives == "store" and self.feature == "tokens":
            raise ValueError("negatives 'store' are texts; use feature 'cls' or 'mean', or negatives 'batch'")
        return self

    def check_texts(self, count: int) -> None:
        if self.further >= count:
            mend = f"{self.further} is not less than the {count} training texts; give less, or negatives: batch"
            raise UserError("objective.intermediate.extra_negatives", mend)

    @abstractmethod
    def build(self) -> "BoundLoss":
        """The loss itself, without its weight."""


class BoundLoss(LearnedHiddenLoss):
    """log K less a lower bound, in nats, on the mutual information of student and teacher features; K pairs a group.

    The constant changes no gradient. With it the loss is positive until the bound shows more than InfoNCE ever can,
    and of the same size as other losses. K counts further negatives too. Fewer than two have no bound: the loss is 0.
    """

    def __init__(self, config: BoundConfig) -> None:
        super().__init__(config.learning_rate_factor)
        self._config = config

    def add_weights(self, student_width: int, teacher_width: int) -> None:
        self.critic = self._config.critic.build(student_width, teacher_width)

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        bound, pairs = self.estimate(student_states, teacher_states, mask)
        return math.log(pairs) - bound

    def estimate(
        self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None, further: Tensor | None = None
    ) -> tuple[Tensor, int]:
        """The bound in nats, and the number K that it was found with; 0 of K = 1, which has none.

        Args:
            student_states: As `forward` takes it.
            teacher_states: As `forward` takes it.
            mask: As `forward` takes it.
            further: [N, teacher width], features of other texts, if the negatives are to be from the store.
        """
        self.ensure_drawn(student_states, teacher_states)
        x, y = self._groups(student_states, teacher_states, mask)
        others = y if further is None else torch.cat([y, further.to(y.dtype).unsqueeze(0)], dim=1)
        pairs = others.shape[1]
        if pairs < 2 or x.shape[1] == 0:
            # 0, but of the weights: with several processes each of them has to take part in every step.
            return sum((0.0 * weight.sum() for weight in self.parameters()), 0.0 * x.sum()), 1
        scores = self.critic(x, others)
        if self._config.negatives == "store":
            scores, y = scores.mT, x  # mutual information is symmetric
        return torch.stack([self.bound(*group) for group in zip(scores, y, strict=True)]).mean(), pairs

    @abstractmethod
    def bound(self, scores: Tensor, y: Tensor) -> Tensor:
        """Of one group: scores [K and further ones, K], a row each of what a column is to find its own among.

        And [K, width], the features that the columns are of.
        """

    def _groups(self, student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features [groups, K, width] of both sides."""
        if self._config.feature != "tokens":
            x, y = views.texts(student, teacher, mask, self._config.feature)
            return x.unsqueeze(0), y.unsqueeze(0)
        x, y, new = views.positions(student, teacher, mask, self._config.positions)
        if not self._config.same_text_negatives:
            return x, y
        return x[new].unsqueeze(0), y[new].unsqueeze(0)  # a position must not be told from itself


class BaselineBoundLoss(BoundLoss):
    """A bound with a learned baseline of each feature that is to find its own."""

    def add_weights(self, student_width: int, teacher_width: int) -> None:
        super().add_weights(student_width, teacher_width)
        self.log_baseline = LogBaseline(student_width if self._config.negatives == "store" else teacher_width)
