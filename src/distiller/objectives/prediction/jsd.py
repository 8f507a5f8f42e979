"""Jensen-Shannon divergence of softened predictions."""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig, divergence
from distiller.objectives.rows import counted, mean_over


class JSD(PredictionLossConfig):
    """T² · (KL(p_T ‖ m) + KL(p_S ‖ m)) / 2 with m = (p_T + p_S) / 2 and p = softmax(logits / T) (Lin 1991)."""

    compares_distributions: ClassVar[bool] = True

    type: Literal["jsd"] = "jsd"
    temperature: Annotated[float, Field(gt=0)] = 2.0

    def build(self) -> "JSDLoss":
        return JSDLoss(self.temperature)


class JSDLoss(PredictionLoss):
    """T² · (KL(p_T ‖ m) + KL(p_S ‖ m)) / 2, mean over rows; the same if the sides are swapped, and at most T² · log 2.

    The factor T² is that of `kl`. Equal to T² times the square of SciPy's `jensenshannon`, which is a distance.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        student = functional.log_softmax(student / self.temperature, dim=-1)
        teacher = functional.log_softmax(teacher / self.temperature, dim=-1)
        middle = torch.logaddexp(student, teacher) - math.log(2)
        both = divergence(teacher, middle) + divergence(student, middle)
        return self.temperature**2 * mean_over(both / 2, counts)
