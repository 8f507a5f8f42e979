"""Squared error of attention maps."""

from typing import ClassVar, Literal

from torch import Tensor

from distiller.models import Kind
from distiller.objectives.intermediate.attention import counted_pairs
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level
from distiller.objectives.rows import mean_over


class AttentionMSE(HiddenLossConfig):
    """Mean squared error of attention maps over valid pairs of query and key, and heads.

    As in TinyBERT (Jiao et al. 2020, eq. 7), but of probabilities, which are what transformers gives; TinyBERT takes
    the scores before the softmax.
    """

    reads: ClassVar[Kind] = "attention_maps"

    type: Literal["attention-mse"] = "attention-mse"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "AttentionMSELoss":
        return AttentionMSELoss()


class AttentionMSELoss(HiddenLoss):
    """Mean of (s - t)² over heads and pairs of valid positions, of maps [batch, heads, length, length].

    Equal to TextBrewer's `att_mse_loss`. Without a mask that sets what is not above -1e-3 to zero first, since it takes
    scores: equal on maps of probabilities.
    """

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted_pairs(student_states, teacher_states, mask)
        return mean_over((student - teacher).square(), counts)
