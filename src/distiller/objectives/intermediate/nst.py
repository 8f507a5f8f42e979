"""Similarities among positions."""

from typing import ClassVar, Literal

from torch import Tensor

from distiller.objectives.intermediate.attention import pairs
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted_of_any_width, mean_over


class NST(HiddenLossConfig):
    """Squared error of HHᵀ / width, how positions of a text go together, mean over pairs of valid positions.

    The variant of Neuron Selectivity Transfer (Huang and Wang 2017) that TextBrewer has.
    """

    takes_any_width: ClassVar[bool] = True

    type: Literal["nst"] = "nst"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "NSTLoss":
        return NSTLoss()


class NSTLoss(HiddenLoss):
    """Mean of (s_i·s_j / width - t_i·t_j / width)² over pairs of valid positions of a text, each width its own.

    Equal to TextBrewer's `mmd_loss` of a layer given twice, without a mask. With one it divides by the length (with
    padding) in place of the width: where the widths agree it is this loss times (width / length)².
    """

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted_of_any_width(student_states, teacher_states, mask)
        return mean_over((_similarities(student) - _similarities(teacher)).square(), pairs(counts))


def _similarities(states: Tensor) -> Tensor:
    return states @ states.mT / states.shape[-1]
