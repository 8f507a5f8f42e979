"""One vector for a text, of the states of its positions; padding never counts."""

from typing import Literal

import torch
from torch import Tensor

TextFeature = Literal["cls", "mean"]
Pooling = Literal["cls", "mean", "words"]


def pooled(states: Tensor, mask: Tensor | None, feature: TextFeature) -> tuple[Tensor, Tensor]:
    """One vector a text: its position 0 (`cls`) or the mean over its valid positions (`mean`).

    Args:
        states: [batch, length, width].
        mask: [batch, length], nonzero where a position is no padding; None if all count.
        feature: Which.

    Returns:
        [batch, width], in at least float32, and [batch]: whether the text counts. It does not where there is no valid
        position, or, for `cls`, where position 0 is padding; its vector is 0 then.

    Raises:
        ValueError: If the mask does not fit.
    """
    if feature == "cls":
        states, mask = states[:, :1], None if mask is None else mask[:, :1]
    states, counts = counted_side(states, mask)
    lengths = counts.sum(dim=1)
    return states.sum(dim=1) / lengths.clamp(min=1.0).unsqueeze(-1), lengths > 0


def by_words(states: Tensor, mask: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """One vector a word: the mean over its tokens.

    Args:
        states: [batch, length, width].
        mask: [batch, length], nonzero where a position is no padding.
        words: [batch, words, 2], the first token of each, and that after its last.

    Returns:
        [batch, words, width] in at least float32, not a number for a word of which there is no token; and
        [batch, words], whether there is any.
    """
    states, _ = counted_side(states, mask)
    position = torch.arange(states.shape[1], device=states.device)
    inside = (position >= words[..., :1]) & (position < words[..., 1:])
    count = inside.sum(dim=-1, keepdim=True)
    with torch.autocast(states.device.type, enabled=False):
        vectors = (inside.to(states.dtype) / count.clamp(min=1)) @ states
    return vectors.masked_fill(count == 0, torch.nan), count.squeeze(-1) > 0


def counted_side(states: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """`states` [..., width] of one side in at least float32, rows that do not count set to zero; the mask as numbers.

    Raises:
        ValueError: If the mask is not one number a row.
    """
    counts = torch.ones(states.shape[:-1], device=states.device, dtype=torch.bool) if mask is None else mask.bool()
    if counts.shape != states.shape[:-1]:
        raise ValueError(f"a mask {tuple(counts.shape)} does not fit rows {tuple(states.shape[:-1])}")
    dtype = torch.promote_types(states.dtype, torch.float32)
    zero = torch.zeros((), dtype=dtype, device=states.device)
    # Set to zero, not multiplied by it: what lies in padding may be infinite.
    return torch.where(counts.unsqueeze(-1), states.to(dtype), zero), counts.to(dtype)
