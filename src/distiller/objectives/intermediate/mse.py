"""Squared error of hidden states."""

from typing import Literal

from torch import Tensor

from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted_difference


class HiddenMSE(HiddenLossConfig):
    """Mean squared error over valid positions and width (TinyBERT, Jiao et al. 2020, eq. 8)."""

    type: Literal["mse"] = "mse"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "HiddenMSELoss":
        return HiddenMSELoss()


class HiddenMSELoss(HiddenLoss):
    """Mean squared error over valid positions and width; equal to TextBrewer's `hid_mse_loss`."""

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        difference, counts = counted_difference(student_states, teacher_states, mask)
        return difference.square().sum() / (counts.sum().clamp(min=1.0) * difference.shape[-1])
