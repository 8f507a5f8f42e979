"""One kind of teacher output for the texts of a run, mapped from disk."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distiller.store.mapped import MappedRows


@dataclass(frozen=True)
class Column:
    """Rows of each text, in the order of the texts: one row (logits, a vector) or one a position.

    Attributes:
        shards: Each [rows, …], of one type and shape but for the rows.
        shard: [texts], in which shard the rows of a text are.
        start: [texts], the first of them there.
        length: [texts], how many.
    """

    shards: list[MappedRows]
    shard: Tensor
    start: Tensor
    length: Tensor

    def __len__(self) -> int:
        return len(self.shard)

    def batch(self, texts: Sequence[int], length: int) -> Tensor:
        """[batch, length, …]: the rows of some texts, with zeros after the last of each."""
        chosen = torch.as_tensor(texts)
        position = torch.arange(length)
        return self._filled(chosen, position < self.length[chosen].unsqueeze(-1), position)

    def squares(self, texts: Sequence[int], length: int) -> Tensor:
        """[batch, length, length, …], where a text has a row for each two of its positions."""
        chosen = torch.as_tensor(texts)
        side = self.length[chosen].sqrt().long().unsqueeze(-1)
        position = torch.arange(length)
        valid = position < side
        number = side.unsqueeze(-1) * position.unsqueeze(-1) + position
        return self._filled(chosen, valid.unsqueeze(-1) & valid.unsqueeze(-2), number)

    def _filled(self, chosen: Tensor, valid: Tensor, number: Tensor) -> Tensor:
        """[*valid, …]: where valid, the row of that number of the text; elsewhere zeros."""
        of_text = (-1, *[1] * (valid.dim() - 1))
        row = (self.start[chosen].view(of_text) + number)[valid]
        shard = self.shard[chosen].view(of_text).expand_as(valid)[valid]
        first = self.shards[0].values
        filled = first.new_zeros(*valid.shape, *first.shape[1:])
        filled[valid] = self._rows(shard, row)
        return filled

    def _rows(self, shard: Tensor, row: Tensor) -> Tensor:
        first = self.shards[0].values
        gathered = first.new_empty(len(row), *first.shape[1:])
        for number in shard.unique().tolist():
            here = shard == number
            gathered[here] = self.shards[number].at(row[here])
        return gathered
