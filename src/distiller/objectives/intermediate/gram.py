"""Gram matrices of channels."""

from typing import Literal

from torch import Tensor

from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted, mean_over


class Gram(HiddenLossConfig):
    """Squared error of HᵀH / length, how channels go together within a text; mean over texts (Yim et al. 2017, FSP).

    Yim et al. take the channels of two layers; this is of one layer with itself.
    """

    type: Literal["gram"] = "gram"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "GramLoss":
        return GramLoss()


class GramLoss(HiddenLoss):
    """Mean of (SᵀS / length - TᵀT / length)² over [width, width] and texts, length that of valid positions.

    Equal to TextBrewer's `fsp_loss` of a layer given twice. A text without a valid position does not count.
    """

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_states, teacher_states, mask)
        lengths = counts.sum(dim=-1)
        difference = (student.mT @ student - teacher.mT @ teacher) / lengths.clamp(min=1.0)[:, None, None]
        return mean_over(difference.square().mean(dim=(-1, -2)), (lengths > 0).to(lengths.dtype))
