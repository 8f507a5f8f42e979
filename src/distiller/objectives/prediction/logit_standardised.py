"""Kullback-Leibler divergence of standardised logits."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig, divergence
from distiller.objectives.rows import counted, mean_over

EPSILON = 1e-7
"""Added to the standard deviation of a row, as in the authors' code: a row of equal logits is divided by this."""


class LogitStandardised(PredictionLossConfig):
    """T² · KL(p_T ‖ p_S) with p = softmax(z / T), z the z-score of a row of logits (Sun et al. 2024, algorithm 1)."""

    compares_distributions: ClassVar[bool] = True

    type: Literal["logit-standardised"] = "logit-standardised"
    temperature: Annotated[float, Field(gt=0)] = 2.0

    def build(self) -> "LogitStandardisedLoss":
        return LogitStandardisedLoss(self.temperature)


class LogitStandardisedLoss(PredictionLoss):
    """T² · KL(p_T ‖ p_S) of z-scores, mean over rows: neither the size nor the offset of the student's logits matters.

    z = (logits - mean) / (standard deviation + 1e-7) over the classes; the variance is a sum over classes - 1, as in
    the authors' code and torchdistill. The factor T² is that of the authors' code; torchdistill's `LogitStdKDLoss`
    has it only where it adds cross-entropy with labels, so without labels this is T² times it.

    Two classes leave a z-score nothing but its sign, and the loss no gradient: three or more are needed to learn
    from it, and one raises a ValueError.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        if student.shape[-1] < 2:
            raise ValueError("logit-standardised divides by the deviation of logits, and one class has none")
        student = functional.log_softmax(_standardised(student) / self.temperature, dim=-1)
        teacher = functional.log_softmax(_standardised(teacher) / self.temperature, dim=-1)
        return self.temperature**2 * mean_over(divergence(teacher, student), counts)


def _standardised(logits: Tensor) -> Tensor:
    return (logits - logits.mean(dim=-1, keepdim=True)) / (logits.std(dim=-1, keepdim=True) + EPSILON)
