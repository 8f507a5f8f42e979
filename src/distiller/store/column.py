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
        row = torch.where(valid, self.start[chosen].view(of_text) + number, 0)
        rows = self._rows(self.shard[chosen], row)
        rows.flatten(0, valid.dim() - 1).index_fill_(0, (~valid.flatten()).nonzero().squeeze(-1), 0)
        return rows

    def _rows(self, shard: Tensor, row: Tensor) -> Tensor:
        """[*row.shape, …]: the rows of these numbers, of texts in the shards [texts]."""
        present: list[int] = shard.unique().tolist()
        if len(present) == 1:
            return self.shards[present[0]].at(row)
        values = self.shards[present[0]].values
        rows = values.new_empty(*row.shape, *values.shape[1:])
        for number in present:
            here = (shard == number).nonzero().squeeze(-1)
            rows.index_copy_(0, here, self.shards[number].at(row[here]))
        return rows
