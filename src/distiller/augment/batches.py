"""Batches in which what becomes of a text does not depend on the others."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

TEXTS_AT_ONCE = 64
TOKENS_AT_ONCE = 2048
ALIGNED = 4
"""Batches hold a multiple of it: products of fewer rows add up in another order, and their last bits differ."""


def of_one_length(texts: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], Tensor]]:
    """Batches of texts with equally many tokens: their numbers, and [batch, length], filled up with the first.

    Nothing is padded, so that nothing depends on padding; the longest come first, so that memory is short at once.
    """
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for number, tokens in enumerate(texts):
        by_length[len(tokens)].append(number)
    for length in sorted(by_length, reverse=True):
        alike = by_length[length]
        most = max(ALIGNED, min(TEXTS_AT_ONCE, TOKENS_AT_ONCE // length // ALIGNED * ALIGNED))
        for start in range(0, len(alike), most):
            some = alike[start : start + most]
            yield some, torch.tensor([texts[number] for number in [*some, *[some[0]] * (-len(some) % ALIGNED)]])
