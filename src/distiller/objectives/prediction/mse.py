"""Squared error of logits."""

from typing import ClassVar, Literal

from torch import Tensor

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig
from distiller.objectives.rows import counted, mean_over


class MSE(PredictionLossConfig):
    """Mean of ((student - teacher) / T)² over classes (Ba and Caruana 2014 at T = 1); also for regression."""

    compares_distributions: ClassVar[bool] = False

    type: Literal["mse"] = "mse"

    def build(self) -> "MSELoss":
        return MSELoss(self.temperature)


class MSELoss(PredictionLoss):
    """Mean of ((student - teacher) / T)² over rows and classes; equal to TextBrewer's `kd_mse_loss`."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        return mean_over(((student - teacher) / self.temperature).square().mean(dim=-1), counts)
