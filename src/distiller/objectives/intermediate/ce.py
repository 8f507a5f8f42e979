"""Cross-entropy of hidden states."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import counted, mean_over


class HiddenCE(HiddenLossConfig):
    """-Σ p_T log p_S with p the softmax over the width, mean over valid positions (He et al. 2021)."""

    type: Literal["ce"] = "ce"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "HiddenCELoss":
        return HiddenCELoss()


class HiddenCELoss(HiddenLoss):
    """-Σ p_T log p_S over the width, mean over valid positions; TextBrewer's `kd_ce_loss` on the valid positions."""

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_states, teacher_states, mask)
        entropy = -(functional.softmax(teacher, dim=-1) * functional.log_softmax(student, dim=-1)).sum(dim=-1)
        return mean_over(entropy, counts)
