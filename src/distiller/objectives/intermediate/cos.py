"""Cosine distance of hidden states."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted, mean_over


class Cos(HiddenLossConfig):
    """1 - cosine of the two vectors, mean over valid positions (DistilBERT, Sanh et al. 2019)."""

    type: Literal["cos"] = "cos"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "CosLoss":
        return CosLoss()


class CosLoss(HiddenLoss):
    """1 - cosine, mean over valid positions; equal to TextBrewer's `cos_loss`."""

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_states, teacher_states, mask)
        return mean_over(1 - functional.cosine_similarity(student, teacher, dim=-1), counts)
