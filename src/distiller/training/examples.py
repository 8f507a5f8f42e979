"""Tokenised texts for the loop, and how they become batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from distiller.data import Examples
from distiller.tasks import Encoding, SequenceTask, pad


@dataclass(frozen=True)
class Reader:
    """How one model reads texts: its tokenizer and the length at which texts are cut."""

    tokenizer: PreTrainedTokenizerBase
    max_length: int


@dataclass(frozen=True)
class Encoded:
    """A split as a model reads it: one encoding and one target per text."""

    encodings: list[Encoding]
    targets: list[float]

    def __len__(self) -> int:
        return len(self.encodings)


def encode(examples: Examples, classes: list[str] | None, task: SequenceTask, reader: Reader) -> Encoded:
    """Tokenise a split; texts without a label get the task's missing target."""
    encodings = task.tokenize(examples.texts, reader.tokenizer, reader.max_length)
    if examples.labels is None:
        return Encoded(encodings, [task.missing_target] * len(examples))
    return Encoded(encodings, task.targets(examples.labels, classes))


class TrainingSet(Dataset[int]):
    """The texts of a run. Items are row numbers: `collate` turns them into a batch, so that nothing is copied twice.

    Args:
        student: Every text as the student reads it, with its target.
        student_tokenizer: To pad with.
        teacher: Every text as the teacher reads it; None if it reads as the student does.
        teacher_tokenizer: To pad with.
        target_dtype: The task's.
    """

    def __init__(
        self,
        student: Encoded,
        student_tokenizer: PreTrainedTokenizerBase,
        target_dtype: torch.dtype,
        teacher: Sequence[Encoding] | None = None,
        teacher_tokenizer: PreTrainedTokenizerBase | None = None,
    ) -> None:
        self._student = student
        self._student_tokenizer = student_tokenizer
        self._target_dtype = target_dtype
        self._teacher = teacher
        self._teacher_tokenizer = teacher_tokenizer

    def __len__(self) -> int:
        return len(self._student)

    def __getitem__(self, row: int) -> int:
        return row

    @property
    def lengths(self) -> list[int]:
        """Tokens per text, as the student reads it."""
        return [len(encoding["input_ids"]) for encoding in self._student.encodings]

    def collate(self, rows: Sequence[int]) -> dict[str, dict[str, Tensor] | Tensor | None]:
        """A batch: inputs of student and teacher, each [batch, length] (teacher None: the same); `targets` [batch]."""
        teacher = None
        if self._teacher is not None and self._teacher_tokenizer is not None:
            teacher = pad([self._teacher[row] for row in rows], self._teacher_tokenizer)
        return {
            "student_inputs": pad([self._student.encodings[row] for row in rows], self._student_tokenizer),
            "teacher_inputs": teacher,
            "targets": torch.tensor([self._student.targets[row] for row in rows], dtype=self._target_dtype),
        }
