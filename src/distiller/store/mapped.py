"""Tensors in a safetensors file: written from where they lie, and mapped into memory, never copied as a whole."""

import json
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

DTYPES = {"BF16": torch.bfloat16, "F32": torch.float32, "I64": torch.int64, "U8": torch.uint8}


def as_file(tensors: Mapping[str, Sequence[Tensor]]) -> list[bytes | memoryview]:
    """What a safetensors file of some tensors consists of, in order.

    Args:
        tensors: By name, the parts [rows, …] of each, alike but for the rows; those of wider types have to come first.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    about: dict[str, object] = {}
    end = 0
    for name, parts in tensors.items():
        begin, end = end, end + sum(part.nbytes for part in parts)
        shape = [sum(map(len, parts)), *parts[0].shape[1:]]
        about[name] = {"dtype": names[parts[0].dtype], "shape": shape, "data_offsets": [begin, end]}
    header = json.dumps(about).encode()
    header += b" " * (-len(header) % 8)
    contents = [
        part.contiguous().view(-1).view(torch.uint8).numpy().data for parts in tensors.values() for part in parts
    ]
    return [len(header).to_bytes(8, "little"), header, *contents]


@dataclass(frozen=True)
class MappedRows:
    """Rows [rows, …] in a file, of which those that are asked for are read.

    safetensors maps files too, but what was ever read of one counts as memory of the process as long as it is mapped.
    """

    values: Tensor
    _map: mmap.mmap

    @classmethod
    def of(cls, path: Path, name: str) -> "MappedRows":
        """The tensor of that name in a whole file: a header in JSON after its length in 8 bytes, then the numbers."""
        with path.open("rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        start = 8 + int.from_bytes(mapped[:8], "little")
        about = json.loads(mapped[8:start])[name]
        begin, end = about["data_offsets"]
        dtype = DTYPES[about["dtype"]]
        if begin == end:  # frombuffer refuses it
            return cls(torch.empty(about["shape"], dtype=dtype), mapped)
        flat = torch.frombuffer(mapped, dtype=dtype, count=(end - begin) // dtype.itemsize, offset=start + begin)
        return cls(flat.view(about["shape"]), mapped)

    def at(self, rows: Tensor) -> Tensor:
        """[*rows.shape, …]: a copy of the rows of these numbers."""
        chosen = self.values.index_select(0, rows.flatten()).view(*rows.shape, *self.values.shape[1:])
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)  # it stays in the system's cache
        return chosen
