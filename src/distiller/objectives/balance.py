"""Terms that differ by orders of magnitude, brought to one size."""

import torch
from torch import Tensor, nn

DECAY = 0.99
LARGEST_STEP = 10.0
"""A value counts as at most so many times the mean before it: one outlier must not silence a term for long."""
SMALLEST_SHARE = 0.01
"""Of the largest size that a term has had: one that comes near 0, or crosses it, is not blown up without end."""


class Balance(nn.Module):
    """Divides each term by a running mean of its own absolute value, so that weights mean the same for all of them.

    The first value of a term is divided by itself. A value of 0 (a batch without labels) changes no mean. The means
    are kept in checkpoints; they carry no gradient.
    """

    means: Tensor
    shares: Tensor
    largest: Tensor

    def __init__(self, terms: list[str]) -> None:
        super().__init__()
        self._terms = terms
        for name in ("means", "shares", "largest"):
            self.register_buffer(name, torch.zeros(len(terms)))

    def forward(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The values, each divided by its size; in training the sizes follow first."""
        if self.training:
            for name, value in values.items():
                self._follow(self._terms.index(name), value.detach().float().abs())
        return {name: value / self._size(self._terms.index(name)).to(value.dtype) for name, value in values.items()}

    def _follow(self, index: int, value: Tensor) -> None:
        mean = self._mean(index)
        value = torch.where(self.shares[index] > 0, value.clamp(max=LARGEST_STEP * mean), value)
        step = torch.where(value > 0, 1 - DECAY, 0.0)
        self.means[index] += step * (value - self.means[index])
        self.shares[index] += step * (1 - self.shares[index])
        self.largest[index] = torch.maximum(self.largest[index], self._mean(index))

    def _mean(self, index: int) -> Tensor:
        """The mean without the zero that it began with (as Adam's)."""
        return self.means[index] / self.shares[index].clamp(min=1e-12)

    def _size(self, index: int) -> Tensor:
        """What the term is divided by; 1 as long as there is no value."""
        size = torch.maximum(self._mean(index), SMALLEST_SHARE * self.largest[index])
        return torch.where(self.shares[index] > 0, size, 1.0)
