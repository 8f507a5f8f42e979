"""What a batch holds of the teachers: what they said of the texts, or what they are to read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from distiller import store
from distiller.models import Reading
from distiller.store import Column, FrozenTeacher
from distiller.tasks import Tokens


@dataclass(frozen=True)
class Asked:
    """The teachers answer at every step; of each its texts as it reads them."""

    teachers: Sequence[FrozenTeacher]
    tokens: Sequence[Tokens]

    def of(self, rows: Sequence[int], length: int) -> dict[str, Any]:  # noqa: ARG002 - it pads for itself
        both = zip(self.teachers, self.tokens, strict=True)
        return {"questions": [teacher.questions(tokens, rows) for teacher, tokens in both]}


@dataclass(frozen=True)
class AskedTogether:
    """The teachers answer at every step, and read all texts of a batch at one length, since they are to be mixed."""

    tokens: Sequence[Tokens]

    def of(self, rows: Sequence[int], length: int) -> dict[str, Any]:  # noqa: ARG002 - it pads for itself
        return {"teacher_inputs": [tokens.batch(rows) for tokens in self.tokens]}


@dataclass(frozen=True)
class Kept:
    """The teachers have answered.

    Attributes:
        columns: Outputs of the first for all texts of the run, by the names of their shelves.
        reading: What they are.
        further: Of how many other texts each batch is to hold its vectors too.
        seed: Of the choice of these.
        of_words: Whether they said something of each word.
        others: Logits of the other teachers, as `columns`.
    """

    columns: Mapping[str, Column]
    reading: Reading | None
    further: int
    seed: int
    of_words: bool = False
    others: Sequence[Mapping[str, Column]] = ()

    def of(self, rows: Sequence[int], length: int) -> dict[str, Any]:
        return {
            "teacher_logits": [
                store.restored_logits(columns, rows, of_words=self.of_words) for columns in (self.columns, *self.others)
            ],
            "teacher_layers": store.restored_layers(self.columns, self.reading, rows, length),
            "further": self.vectors_of_others(rows, excluded=rows),
        }

    def vectors_of_others(self, rows: Sequence[int], excluded: Sequence[int]) -> dict[int, Tensor]:
        """By layer, [further, width]: of texts drawn, with repetition, from those that are not excluded."""
        if self.further == 0:
            return {}
        texts = len(next(iter(self.columns.values())))
        # A function of the batch alone: what was drawn before a checkpoint and not used is drawn again after it.
        generator = torch.Generator().manual_seed(_seed_of(rows, self.seed))
        drawn = torch.randint(texts - len(excluded), (self.further,), generator=generator)
        others = _passing_over(drawn, excluded).tolist()
        layers = store.restored_layers(self.columns, self.reading, others, length=1)
        return {layer: vectors.squeeze(1) for layer, vectors in layers.items()}


@dataclass(frozen=True)
class AskedBesideKept:
    """The teachers answer for texts that are not trained on; further ones are of those that are."""

    asked: Asked
    kept: Kept

    def of(self, rows: Sequence[int], length: int) -> dict[str, Any]:
        return {**self.asked.of(rows, length), "further": self.kept.vectors_of_others(rows, excluded=[])}


def _seed_of(rows: Sequence[int], seed: int) -> int:
    digest = hashlib.blake2b(np.asarray([seed, *rows], dtype=np.int64).tobytes(), digest_size=8)
    return int.from_bytes(digest.digest(), "little") >> 1


def _passing_over(drawn: Tensor, excluded: Sequence[int]) -> Tensor:
    """Numbers of all texts, of numbers among those that are not excluded."""
    gaps = torch.as_tensor(excluded, dtype=torch.long).sort().values
    return drawn + torch.searchsorted(gaps - torch.arange(len(gaps)), drawn, right=True)
