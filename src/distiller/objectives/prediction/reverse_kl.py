"""Reverse Kullback-Leibler divergence of softened predictions."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig, divergence
from distiller.objectives.rows import counted, mean_over


class ReverseKL(PredictionLossConfig):
    """T² · KL(p_S ‖ p_T) with p = softmax(logits / T) (MiniLLM, Gu et al. 2024, at T = 1)."""

    compares_distributions: ClassVar[bool] = True

    type: Literal["reverse-kl"] = "reverse-kl"
    temperature: Annotated[float, Field(gt=0)] = 2.0

    def build(self) -> "ReverseKLLoss":
        return ReverseKLLoss(self.temperature)


class ReverseKLLoss(PredictionLoss):
    """T² · KL(p_S ‖ p_T), mean over rows: it costs the student most to find probable what the teacher does not.

    The factor T² is that of `kl`. Equal to T² times torchdistill's `KDLoss` without labels, its sides swapped.
    MiniLLM samples the sum over sequences; over the classes of a row it is computed exactly here.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        student = functional.log_softmax(student / self.temperature, dim=-1)
        teacher = functional.log_softmax(teacher / self.temperature, dim=-1)
        return self.temperature**2 * mean_over(divergence(student, teacher), counts)
