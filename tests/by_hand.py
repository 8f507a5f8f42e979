"""What losses are computed anew with: one number after the other, over the positions that count."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from conformance.losses import gradient

BATCHES = st.integers(1, 4)
LENGTHS = st.integers(1, 7)
WIDTHS = st.integers(1, 9)


def valid_pairs(mask: Tensor) -> Tensor:
    """[batch, length, length]: whether both positions are valid."""
    return mask.bool().unsqueeze(-1) & mask.bool().unsqueeze(-2)


def valid_positions(mask: Tensor) -> Iterator[tuple[int, list[int]]]:
    """Each text with its valid positions."""
    for text, row in enumerate(mask.tolist()):
        yield text, [position for position, valid in enumerate(row) if valid]


def scattered(seed: int, batch: int, length: int) -> Tensor:
    """A mask with padding anywhere, and texts of nothing but padding; one position is valid at least."""
    mask = torch.rand(batch, length, generator=torch.Generator().manual_seed(seed + 2)) > 0.4
    mask[0, 0] = True
    return mask.long()


def softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def assert_equal(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *inputs: Tensor, factor: float = 1.0
) -> None:
    """In value and gradient, theirs times a factor."""
    assert ours(*inputs).item() == pytest.approx(factor * theirs(*inputs).item(), abs=1e-6, rel=1e-6)
    slope = factor * gradient(theirs, *inputs)
    assert torch.allclose(gradient(ours, *inputs), slope, atol=1e-6, rtol=1e-6)
