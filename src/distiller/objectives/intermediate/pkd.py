"""Distance of normalised first positions."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from distiller.models.pooling import TextFeature
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted, mean_over


class PKD(HiddenLossConfig):
    """Squared distance of the normalised states at position 0 ([CLS]) (BERT-PKD, Sun et al. 2019, eq. 7)."""

    type: Literal["pkd"] = "pkd"

    @property
    def level(self) -> Level:
        return "sequence"

    @property
    def pools(self) -> TextFeature | None:
        return "cls"

    def build(self) -> "PKDLoss":
        return PKDLoss()


class PKDLoss(HiddenLoss):
    """‖s/‖s‖ - t/‖t‖‖² at position 0, mean over texts; equal to TextBrewer's `pkd_loss`.

    A text whose position 0 is padding does not count; TextBrewer has no mask here.
    """

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        first = None if mask is None else mask[:, 0]
        student, teacher, counts = counted(student_states[:, 0], teacher_states[:, 0], first)
        student, teacher = functional.normalize(student, dim=-1), functional.normalize(teacher, dim=-1)
        return mean_over((student - teacher).square().sum(dim=-1), counts)
