"""Tokenised texts for the loop, and how they become batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from distiller.augment import Mixup
from distiller.data import Examples
from distiller.tasks import Passages, Room, Segmentation, Task, Tokens, joined, passages, tokenize
from distiller.words import UNLABELLED

TOKENS = "input_ids"
ALIGNED_LENGTH = 4
"""Batches are of lengths that are multiples of it: the processor's kernels are made, and kept, for each shape anew."""


@dataclass(frozen=True)
class Reader:
    """How one model reads texts: its tokenizer, the length at which texts are cut, and how many tokens it can take.

    Attributes:
        stride: By how many tokens the parts of a context overlap.
    """

    tokenizer: PreTrainedTokenizerBase
    max_length: int
    longest: int
    stride: int = 0

    @property
    def room(self) -> Room:
        """For passages."""
        return Room(self.tokenizer, self.max_length, self.stride)


@dataclass(frozen=True)
class Encoded:
    """A split as a model reads it: its tokens, and one target per text, as the task has them.

    Where answers are looked for a text is a passage: a question may have several.
    """

    tokens: Tokens
    targets: list[Any]
    passages: Passages | None = None

    def __len__(self) -> int:
        return len(self.targets)


class Signal(Protocol):
    """What a batch holds of the teacher."""

    def of(self, rows: Sequence[int], length: int) -> dict[str, Any]:
        """Arguments of `Distillation` for these texts, which are padded to that length; the same for the same rows."""


class NoTeacher:
    """The labels are all that is learned from."""

    def of(self, rows: Sequence[int], length: int) -> dict[str, Any]:  # noqa: ARG002
        return {}


def encode(
    splits: Sequence[Examples],
    classes: list[str] | None,
    task: Task,
    reader: Reader,
    *,
    pieces: bool = False,
    beside: Reader | None = None,
) -> Encoded:
    """Tokenise splits, one after the other; texts without a label get the task's missing target.

    With `pieces` it is known of each piece of a text which tokens it is made of, also where the task asks for no words.

    Args:
        splits: Of one dataset.
        classes: In the order of the logits.
        task: What is to be predicted.
        reader: How the model reads.
        pieces: Whether hidden states are compared by words.
        beside: How another model reads that is to read the same passages; None if there is none.
    """
    if task.label_kind == "answers":
        return _encoded_passages(splits, task, reader, beside or reader)
    parts: Segmentation | None = task.segmentation or ("pieces" if pieces else None)
    tokens = joined([tokenize(split.texts, reader.tokenizer, reader.max_length, parts) for split in splits])
    return Encoded(tokens, [target for split in splits for target in _targets(split, classes, task)])


def _encoded_passages(splits: Sequence[Examples], task: Task, reader: Reader, beside: Reader) -> Encoded:
    texts = [text for split in splits for text in split.texts]
    answers = [answers for split in splits for answers in split.labels or [None] * len(split)]
    names = [name for split in splits for name in split.names or [""] * len(split)]
    names = [name or str(number) for number, name in enumerate(names, start=1)]
    rooms = [reader.room] if beside is reader else [reader.room, beside.room]
    found = passages.cut(texts, cast("Any", answers), names, rooms)
    tokens = tokenize(found.texts, reader.tokenizer, reader.max_length, task.segmentation, answers=True)
    words = tokens.words
    targets: list[Any] = [
        target if words is None or target[0] <= 0 else passages.nearest_read(target, *words.read_places(number))
        for number, target in enumerate(found.targets)
    ]
    return Encoded(tokens, targets, found)


def _targets(split: Examples, classes: list[str] | None, task: Task) -> list[Any]:
    if split.labels is None:
        return [task.missing(text, classes) for text in split.texts]
    return task.targets(split.labels, classes)


def as_tensor(split: Encoded) -> Tensor:
    """The targets: [texts, …], or [words of all texts] where each word has one."""
    return torch.tensor([word for text in split.targets for word in text] if of_words(split) else split.targets)


def of_words(split: Encoded) -> bool:
    """Whether each word has a target."""
    words = split.tokens.words
    return words is not None and words.segmentation == "spaces"


class TrainingSet(Dataset[int]):
    """The texts of a run. Items are row numbers: `collate` turns them into a batch, so that nothing is copied twice.

    Args:
        student: Every text as the student reads it, with its target.
        target_dtype: The task's.
        signal: What a batch holds of the teacher.
        longest: How many tokens all models can read.
        mixup: How texts are mixed; None if they are not.
    """

    def __init__(
        self,
        student: Encoded,
        target_dtype: torch.dtype,
        signal: Signal,
        longest: int,
        mixup: Mixup | None = None,
    ) -> None:
        self._tokens = student.tokens
        self._targets = as_tensor(student).to(target_dtype)
        self._of_words = of_words(student)
        self._signal = signal
        self._longest = longest
        self._mixup = mixup

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, row: int) -> int:
        return row

    @property
    def lengths(self) -> list[int]:
        """Tokens per text, as the student reads it."""
        return self._tokens.lengths.tolist()

    def _targets_of(self, rows: Sequence[int]) -> Tensor:
        """[batch], or [batch, words] with the missing target for words that the student does not read."""
        words = self._tokens.words
        if words is None or not self._of_words:
            return self._targets[torch.as_tensor(rows)]
        return torch.where(words.read(rows), words.of(rows, self._targets, UNLABELLED), UNLABELLED)

    @property
    def vocabulary(self) -> Tensor:
        """[tokens], each once: what the student reads, padding included."""
        padding = torch.tensor([self._tokens.padding[TOKENS]])
        return cast("Tensor", torch.cat([self._tokens.inputs[TOKENS], padding]).unique())

    def collate(self, rows: Sequence[int]) -> dict[str, Any]:
        """A batch, as arguments of `Distillation`.

        Inputs of the student, each [batch, length]; `targets` [batch]; the teacher's signal; what is mixed with what.
        """
        length = self._tokens.length_of(rows, ALIGNED_LENGTH, at_most=self._longest)
        return {
            "student_inputs": self._tokens.batch(rows, length),
            "targets": self._targets_of(rows),
            **self._signal.of(rows, length),
            **(self._mixup.of(rows) if self._mixup is not None else {}),
        }
