"""Decoupled Knowledge Distillation: the target class and the others, weighted each on its own."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig, divergence
from distiller.objectives.rows import counted, mean_over


class DKD(PredictionLossConfig):
    """T² · (alpha · TCKD + beta · NCKD) (Zhao et al. 2022, section 3.3); options as in the paper's code for CIFAR-100.

    `alpha` weighs the target class against all others, `beta` the others among themselves.
    """

    compares_distributions: ClassVar[bool] = True

    type: Literal["dkd"] = "dkd"
    temperature: Annotated[float, Field(gt=0)] = 4.0
    alpha: Annotated[float, Field(ge=0)] = 1.0
    beta: Annotated[float, Field(ge=0)] = 8.0

    def build(self) -> "DKDLoss":
        return DKDLoss(self.temperature, self.alpha, self.beta)


class DKDLoss(PredictionLoss):
    """T² · (alpha · TCKD + beta · NCKD), mean over rows; two classes or more, a ValueError if there is one.

    TCKD is KL(b_T ‖ b_S) with b the probabilities of the target class and of all others together; NCKD is
    KL(q_T ‖ q_S) with q the softmax over the others alone, 0 where there is one other. The factor T² is that of the
    authors' code. With it TCKD + (1 - p_T(target)) · NCKD is `kl`, row by row (section 3.1).

    The paper's target is the true class. Texts may have no label here, so it is the teacher's most probable class:
    equal to the paper where the teacher is right. torchdistill has no such loss to compare with.
    """

    def __init__(self, temperature: float, alpha: float, beta: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.alpha = alpha
        self.beta = beta

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        if student.shape[-1] < 2:
            raise ValueError("dkd parts a target class from the others, so it needs two classes or more")
        target = teacher.argmax(dim=-1, keepdim=True)
        student_binary, student_others = _decoupled(student / self.temperature, target)
        teacher_binary, teacher_others = _decoupled(teacher / self.temperature, target)
        target_class = divergence(teacher_binary, student_binary)
        other_classes = divergence(teacher_others, student_others)
        return self.temperature**2 * mean_over(self.alpha * target_class + self.beta * other_classes, counts)


def _decoupled(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of target and non-target [..., 2], and of each other class among the others [..., classes - 1].

    Args:
        logits: [..., classes], already over the temperature.
        target: [..., 1], the index of the target class.
    """
    position = torch.arange(logits.shape[-1] - 1, device=logits.device)
    others = logits.gather(-1, position + (position >= target))
    binary = torch.cat([logits.gather(-1, target), others.logsumexp(dim=-1, keepdim=True)], dim=-1)
    return functional.log_softmax(binary, dim=-1), functional.log_softmax(others, dim=-1)
