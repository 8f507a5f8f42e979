"""Cross-entropy with softened predictions."""

from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig
from distiller.objectives.rows import counted, mean_over


class CE(PredictionLossConfig):
    """-Σ p_T log p_S with p = softmax(logits / T); T is the temperature."""

    compares_distributions: ClassVar[bool] = True

    type: Literal["ce"] = "ce"

    def build(self) -> "CELoss":
        return CELoss(self.temperature)


class CELoss(PredictionLoss):
    """-Σ p_T log p_S, mean over rows; equal to TextBrewer's `kd_ce_loss`, which has no factor T² either."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        teacher = functional.softmax(teacher / self.temperature, dim=-1)
        entropy = -(teacher * functional.log_softmax(student / self.temperature, dim=-1)).sum(dim=-1)
        return mean_over(entropy, counts)
