"""Rows that are read from a mapped file are those that were saved, and are no memory of the process afterwards."""

from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from distiller.store.mapped import MappedRows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 2, 5)])
def test_rows_are_those_that_safetensors_saved(tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    save_file({"another": torch.arange(3), "values": values, "z": torch.ones(2)}, tmp_path / "file.safetensors")
    mapped = MappedRows.of(tmp_path / "file.safetensors", "values")
    for _ in range(2):
        assert torch.equal(mapped.at(torch.tensor([6, 0, 6])), values[[6, 0, 6]])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (7, 0)])
def test_what_is_empty_stays_so(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """A shard in which no text has a row, say."""
    values = torch.empty(shape, dtype=torch.bfloat16)
    save_file({"another": torch.arange(3), "values": values, "z": torch.ones(2)}, tmp_path / "file.safetensors")
    read = MappedRows.of(tmp_path / "file.safetensors", "values").at(torch.arange(len(values)))
    assert read.shape == shape
    assert read.dtype == values.dtype


def test_what_was_read_does_not_stay_in_memory(tmp_path: Path) -> None:
    save_file({"values": torch.ones(1000, 25_000)}, tmp_path / "file.safetensors")  # 100 MB
    mapped = MappedRows.of(tmp_path / "file.safetensors", "values")
    before = psutil.Process().memory_info().rss
    for row in range(1000):
        assert mapped.at(torch.tensor([row])).sum() == 25_000
    assert psutil.Process().memory_info().rss - before < 20e6
