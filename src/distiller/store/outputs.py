"""The kept outputs of one teacher: a folder with a shelf for each kind, and a lock for who adds to it."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from distiller.assets import cache_folder
from distiller.files import write_json
from distiller.models import BATCH, Features
from distiller.store import form
from distiller.store.column import Column
from distiller.store.frozen import FrozenTeacher
from distiller.store.shelf import CHECKSUM, Shelf
from distiller.tasks import Tokens

ABOUT = "about.json"
LOCK = ".lock"
TEXTS_PER_SHARD = 2048
BYTES_PER_SHARD = 256e6
WRITERS = 2
"""Shelves that are written to at once."""


def store_folder() -> Path:
    """Where the outputs of all teachers are kept: in the cache, which may lie on a file system that machines share."""
    return cache_folder() / "store"


@dataclass(frozen=True)
class Batch:
    """Some texts whose outputs have been computed and are not yet on disk."""

    digests: list[bytes]
    outputs: dict[str, tuple[Tensor, Tensor]]

    @property
    def bytes(self) -> int:
        return sum(values.nbytes for _, values in self.outputs.values())


class TeacherOutputs:
    """What is kept of what one teacher says, and how more is added.

    Its folder is named by the SHA-256 of what the outputs depend on besides the inputs: the teacher's weights and
    config, its tokenizer, the number formats, the shape of batches; and of the kind of checksum. So a teacher that has
    been changed in place is another one.

    Args:
        teacher: The teacher.
        fingerprint: Of its weights and config, in full precision.
        tokenizer: Fingerprint of its tokenizer.
        about: What `distiller store ls` is to say of it.
    """

    def __init__(self, teacher: FrozenTeacher, fingerprint: str, tokenizer: str, about: dict[str, Any]) -> None:
        content = {
            "teacher": fingerprint,
            "tokenizer": tokenizer,
            "dtype": str(teacher.dtype),
            "precision": teacher.precision,
            "batches": teacher.batches,
            "checksum": CHECKSUM,
        }
        self.folder = store_folder() / hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
        self._teacher = teacher
        self._about = {**about, **content}
        self._shelves = {name: Shelf(self.folder / name) for name in form.names(teacher.reading)}

    @property
    def damaged(self) -> list[Path]:
        """Files that were not what they had been when they were written; their outputs count as lacking."""
        return [shelf.folder / name for shelf in self._shelves.values() for name in shelf.damaged]

    def lacking(self, digests: Sequence[bytes]) -> list[int]:
        """Which of some inputs have not all of their outputs here, each input once."""
        return sorted({row for shelf in self._shelves.values() for row in shelf.lacking(digests)})

    def sizes(self, tokens: Tokens) -> Tensor:
        """[texts]: bytes that the outputs of each text take; the first is computed to see what a row takes."""
        reading = self._teacher.reading
        with self._teacher.ready():
            answer = self._answer(tokens, [0])
        outputs, of_words = form.rows(answer, reading), answer.said_of is not None
        of_kinds = [
            values.nbytes // len(values) * form.row_counts(name, reading, tokens, of_words=of_words)
            for name, (_, values) in outputs.items()
        ]
        return torch.stack(of_kinds).sum(dim=0)

    def build(
        self, tokens: Tokens, digests: Sequence[bytes], done: Callable[[int], None], waiting: Callable[[], None]
    ) -> None:
        """Compute what is lacking, in batches of like length, and keep it; what was kept before a `kill -9` stays.

        One process at a time does this to a teacher; another waits, and then computes what is still lacking.

        Args:
            tokens: The texts.
            digests: Theirs.
            done: Called with the number of texts that have been computed since the last call.
            waiting: Called once if another process is at it.

        Raises:
            OSError: If there is no room, or the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone(waiting), self._teacher.ready():
            for shelf in self._shelves.values():
                shelf.look_again()
            if not (self.folder / ABOUT).exists():
                write_json(self.folder / ABOUT, self._about)
            self._compute(tokens, digests, done)

    def columns(self, digests: Sequence[bytes]) -> dict[str, Column]:
        """The outputs of some inputs, all of which are here, in their order; by the names of the shelves."""
        if os.access(self.folder / ABOUT, os.W_OK):
            (self.folder / ABOUT).touch()  # when it was used last
        return {name: shelf.column(digests) for name, shelf in self._shelves.items()}

    def _compute(self, tokens: Tokens, digests: Sequence[bytes], done: Callable[[int], None]) -> None:
        waiting: list[Batch] = []
        for texts in self._batches(tokens, self.lacking(digests)):
            outputs = form.rows(self._answer(tokens, texts), self._teacher.reading)
            waiting.append(Batch([digests[text] for text in texts], outputs))
            if _fill_a_shard(waiting):
                self._keep(waiting)
                waiting = []
            done(len(texts))
        if waiting:
            self._keep(waiting)

    def _batches(self, tokens: Tokens, texts: Sequence[int]) -> Iterator[list[int]]:
        """Each of texts that the teacher reads at one length, the short ones first."""
        lengths = self._teacher.lengths(tokens).tolist()
        for _, alike in groupby(sorted(texts, key=lengths.__getitem__), key=lengths.__getitem__):
            while batch := [*islice(alike, BATCH)]:
                yield batch

    def _answer(self, tokens: Tokens, texts: Sequence[int]) -> Features:
        return self._teacher(self._teacher.questions(tokens, texts), len(texts), tokens.length_of(texts))

    def _keep(self, batches: list[Batch]) -> None:
        """Write a shard to each shelf that lacks any of them; a killed process may have reached only some shelves."""
        digests = [digest for batch in batches for digest in batch.digests]

        def add(name: str) -> None:
            lengths, values = zip(*(batch.outputs[name] for batch in batches), strict=True)
            self._shelves[name].add(digests, [part.cpu() for part in lengths], [part.cpu() for part in values])

        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(add, [name for name, shelf in self._shelves.items() if shelf.lacking(digests)]):
                pass  # an error in a thread is raised when its turn comes here

    @contextmanager
    def _alone(self, waiting: Callable[[], None]) -> Iterator[None]:
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _fill_a_shard(batches: Sequence[Batch]) -> bool:
    texts = sum(len(batch.digests) for batch in batches)
    return texts >= TEXTS_PER_SHARD or sum(batch.bytes for batch in batches) >= BYTES_PER_SHARD
