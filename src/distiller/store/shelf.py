"""Shards on disk, found by the inputs whose outputs they hold."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import safetensors
import torch
import xxhash
from torch import Tensor

from distiller.store.column import Column
from distiller.store.mapped import MappedRows, as_file
from distiller.tasks import DIGEST_BYTES

SUFFIX, CHECKSUM = ".safetensors", "xxh3-128"
BLOCK = 1 << 20
PIECE = 1 << 16
"""Bytes written at once. For much more the kernel takes large pages, which a virtual machine often has to ask its host
for: that takes eight times as long as the writing."""


@dataclass
class Shelf:
    """A folder of shards of one kind of output, opened: what is whole can be read, and more can be added.

    The name of a shard is the XXH3-128 of its bytes. One with another hash is damaged: it is not read, its inputs are
    lacking, and it is removed where the folder can be written. Files of another kind (of a killed process) are not
    read either.

    Attributes:
        folder: Where the shards are.
        damaged: Names of the files that were found damaged.
    """

    folder: Path
    damaged: list[str] = field(default_factory=list)
    _opened: set[str] = field(default_factory=set)
    _shards: list[MappedRows] = field(default_factory=list)
    _places: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.look_again()

    def look_again(self) -> None:
        """Open what others have added."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path.name in self._opened or path.name in self.damaged:
                continue
            if _hash_of(path) == path.stem:
                self._open(path)
                continue
            self.damaged.append(path.name)
            if os.access(self.folder, os.W_OK):
                path.unlink(missing_ok=True)

    def lacking(self, digests: Sequence[bytes]) -> list[int]:
        """Which of some inputs have no output here, each once."""
        seen: set[bytes] = set()
        absent = []
        for index, digest in enumerate(digests):
            if digest not in self._places and digest not in seen:
                absent.append(index)
            seen.add(digest)
        return absent

    def add(self, digests: Sequence[bytes], lengths: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        """Write one shard. It is there, whole, when this returns; one that a power cut damages then is not read.

        Args:
            digests: Of the inputs.
            lengths: Parts of [inputs], how many rows the output of each has.
            values: Parts of [rows, …], the outputs one after the other; they are written from where they lie.

        Raises:
            OSError: If there is no room, or the folder cannot be written; then nothing is left of it.
        """
        of_inputs = torch.frombuffer(bytearray(b"".join(digests)), dtype=torch.uint8).view(-1, DIGEST_BYTES)
        parts = as_file({"lengths": lengths, "values": values, "digests": [of_inputs]})
        hashed = xxhash.xxh3_128()
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=".unfinished.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                for piece in chain.from_iterable(map(_pieces, parts)):
                    hashed.update(piece)
                    stream.write(piece)  # from the processor's cache, where it is since it was summed up
            path = self.folder / f"{hashed.hexdigest()}{SUFFIX}"
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._open(path)

    def column(self, digests: Sequence[bytes]) -> Column:
        """The outputs of some inputs, all of which are here, in their order."""
        places = torch.tensor([self._places[digest] for digest in digests]).view(-1, 3)
        shard, start, length = places.unbind(dim=1)
        return Column(self._shards, shard, start, length)

    def _open(self, path: Path) -> None:
        self._opened.add(path.name)
        with safetensors.safe_open(path, framework="pt") as tensors:
            digests = tensors.get_tensor("digests").numpy().tobytes()
            lengths = tensors.get_tensor("lengths").tolist()
        self._shards.append(MappedRows.of(path, "values"))
        start = 0
        for row, length in enumerate(lengths):
            digest = digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES]
            self._places.setdefault(digest, (len(self._shards) - 1, start, length))
            start += length


def _pieces(part: bytes | memoryview) -> Iterator[bytes | memoryview]:
    return (part[start : start + PIECE] for start in range(0, len(part), PIECE))


def _hash_of(path: Path) -> str:
    hashed = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            hashed.update(block)
    return hashed.hexdigest()
