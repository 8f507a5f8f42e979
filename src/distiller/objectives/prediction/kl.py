"""Kullback-Leibler divergence of softened predictions."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig, divergence
from distiller.objectives.rows import counted, mean_over


class KL(PredictionLossConfig):
    """T² · KL(p_T ‖ p_S) with p = softmax(logits / T); T is the temperature (Hinton et al. 2015)."""

    compares_distributions: ClassVar[bool] = True

    type: Literal["kl"] = "kl"
    temperature: Annotated[float, Field(gt=0)] = 2.0

    def build(self) -> "KLLoss":
        return KLLoss(self.temperature)


class KLLoss(PredictionLoss):
    """T² · KL(p_T ‖ p_S), mean over rows.

    The factor T² keeps the size of the gradient when the temperature changes (Hinton et al. 2015, section 2).
    With TextBrewer's `kd_ce_loss` at the same temperature and H the entropy of p_T this is T² · (kd_ce_loss - H).
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        student = functional.log_softmax(student / self.temperature, dim=-1)
        teacher = functional.log_softmax(teacher / self.temperature, dim=-1)
        return self.temperature**2 * mean_over(divergence(teacher, student), counts)
