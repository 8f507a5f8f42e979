"""Binary cross-entropy, class by class."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig
from distiller.objectives.rows import counted, mean_over


class BCE(PredictionLossConfig):
    """-T² · (q_T log q_S + (1 - q_T) log(1 - q_S)), mean over classes, q = sigmoid(logits / T)."""

    compares_distributions: ClassVar[bool] = False

    type: Literal["bce"] = "bce"
    temperature: Annotated[float, Field(gt=0)] = 2.0

    def build(self) -> "BCELoss":
        return BCELoss(self.temperature)


class BCELoss(PredictionLoss):
    """T² · binary cross-entropy between the classes' own probabilities, mean over rows and classes.

    For classes that do not exclude each other: each is a yes or no of its own, softened as in Hinton et al. 2015,
    section 2. At T = 1 it is `torch.nn.BCEWithLogitsLoss` with the teacher's probabilities for targets.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        targets = (teacher / self.temperature).sigmoid()
        values = functional.binary_cross_entropy_with_logits(student / self.temperature, targets, reduction="none")
        return self.temperature**2 * mean_over(values.mean(dim=-1), counts)
