"""Dropout on a CPU, where drawing one random number for each value takes as long as much of the arithmetic.

Here four values share the 64 bits of one: each is dropped if its 16 bits are below p, rounded to 1/65536, and what
stays is scaled by that very probability. Nothing else is different, in value or in gradient.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

STEPS = 2**16
ATTENTION = "distiller"


class PackedDropout(nn.Dropout):
    """`torch.nn.Dropout`, drawn faster."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is the base class's
        return packed_dropout(input, self.p) if self.training else input


def packed_dropout(values: Tensor, probability: float) -> Tensor:
    """`values` [...], each 0 with that probability, or else scaled so that its mean stays.

    Drawn from torch's global random state, as its own dropout is.
    """
    dropped = round(probability * STEPS)
    if dropped == 0:
        return values
    return values * (_multiples(values, dropped) if dropped < STEPS else 0.0)


@contextmanager
def fast_dropout(model: PreTrainedModel) -> Iterator[None]:
    """Within the block a model on a CPU draws its dropout, that of attention too, in this way."""
    if model.device.type != "cpu":
        yield
        return
    plain = [part for part in model.modules() if type(part) is nn.Dropout]
    before = model.config._attn_implementation
    try:
        for part in plain:
            part.__class__ = PackedDropout  # it stays where it is in the model, under its name
        if before == "sdpa":
            model.set_attn_implementation(ATTENTION)
        yield
    finally:
        for part in plain:
            part.__class__ = nn.Dropout
        if before == "sdpa":
            model.set_attn_implementation(before)


def _multiples(values: Tensor, dropped: int) -> Tensor:
    """What values of that shape are multiplied by, if so many of `STEPS` are dropped."""
    count = values.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    kept = bits[:count].view(values.shape) >= dropped - STEPS // 2
    return kept.to(values.dtype).mul_(STEPS / (STEPS - dropped))


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention of an encoder: with dropout of its maps as transformers' eager one, without as its fast one.

    Query, key and value are [batch, heads, length, width of a head], the mask is true where a key counts.
    """
    plain_mask = attention_mask is None or attention_mask.dtype is torch.bool
    if dropout == 0 or not plain_mask or getattr(module, "is_causal", True) or others.get("position_bias") is not None:
        fast: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return fast
    scores = (query * (scaling or query.shape[-1] ** -0.5)) @ key.mT
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    maps = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    attended = packed_dropout(maps, dropout) @ value
    return attended.transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
