"""Divergence of attention distributions."""

from typing import ClassVar, Literal

from torch import Tensor

from distiller.models import Kind
from distiller.objectives.intermediate.attention import counted_pairs, divergence_over_keys
from distiller.objectives.intermediate.loss import HiddenLoss, HiddenLossConfig, Level


class AttentionKL(HiddenLossConfig):
    """KL(a_T ‖ a_S) of the distributions over valid keys, mean over valid queries and heads (MiniLM, Wang et al. 2020).

    A pipeline gives the logarithm of the maps for the scores, of which the softmax is the map again.
    """

    reads: ClassVar[Kind] = "attention_scores"

    type: Literal["attention-kl"] = "attention-kl"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "AttentionKLLoss":
        return AttentionKLLoss()


class AttentionKLLoss(HiddenLoss):
    """KL(softmax(t) ‖ softmax(s)), mean over valid queries and heads, of scores [batch, heads, length, length].

    The scores are those before the softmax, finite where query and key are valid. The softmax is over valid keys
    alone. TextBrewer's `att_ce_loss` lets padding take part in it: with a mask, that is this loss plus the teacher's
    entropy where scores at padding are very negative (-1e4), as a transformer has them. Without a mask it leaves out
    the teacher's keys with a score of -1e-3 or less: no more than where all are above is it equal there.
    """

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        return divergence_over_keys(*counted_pairs(student_states, teacher_states, mask))
