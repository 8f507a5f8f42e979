"""Terms that differ by orders of magnitude, brought to one size."""

import torch
from torch import Tensor, nn

DECAY = 0.99


class Balance(nn.Module):
    """Divides each term by a running mean of its own absolute value, so that weights mean the same for all of them.

    The first value of a term is divided by itself. A value of 0 (a batch without labels) changes no mean. The means
    are kept in checkpoints; they carry no gradient.
    """

    sizes: Tensor
    shares: Tensor

    def __init__(self, terms: list[str]) -> None:
        super().__init__()
        self._terms = terms
        self.register_buffer("sizes", torch.zeros(len(terms)))
        self.register_buffer("shares", torch.zeros(len(terms)))

    def forward(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The values, each divided by its size; in training the sizes follow first."""
        if self.training:
            for name, value in values.items():
                self._follow(self._terms.index(name), value.detach().float().abs())
        return {name: value / self._size(self._terms.index(name)).to(value.dtype) for name, value in values.items()}

    def _follow(self, index: int, size: Tensor) -> None:
        step = torch.where(size > 0, 1 - DECAY, 0.0)
        self.sizes[index] += step * (size - self.sizes[index])
        self.shares[index] += step * (1 - self.shares[index])

    def _size(self, index: int) -> Tensor:
        """The mean without the zero that it began with (as Adam's); 1 as long as there is no value."""
        share = self.shares[index]
        return torch.where(share > 0, self.sizes[index] / share.clamp(min=1e-12), 1.0)
