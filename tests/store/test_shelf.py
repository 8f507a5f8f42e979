"""What a shelf gives back is what was put there, or it is lacking."""

import hashlib
import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distiller.store.shelf import SUFFIX, Shelf
from distiller.tasks import DIGEST_BYTES
from processes import run_script


def digests(*names: str) -> list[bytes]:
    return [hashlib.blake2b(name.encode(), digest_size=DIGEST_BYTES).digest() for name in names]


def outputs(seed: int, lengths: list[int], width: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.tensor(lengths), torch.randn(sum(lengths), width, generator=generator)


def in_one_part(seed: int, lengths: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    counts, rows = outputs(seed, lengths)
    return [counts], [rows]


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_a_batch_is_the_rows_of_its_texts_with_zeros_behind(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], data: st.DataObject
) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("shelf") / "logits")
    kept: dict[bytes, Tensor] = {}
    for number, lengths in enumerate(shards):
        names = digests(*(f"{number} {row}" for row in range(len(lengths))))
        counts, rows = outputs(number, lengths)
        first = data.draw(st.integers(0, len(lengths)), label="inputs of the first part")
        parts = rows.split([sum(lengths[:first]), sum(lengths[first:])])
        shelf.add(names, counts.split([first, len(lengths) - first]), parts)
        kept |= dict(zip(names, rows.split(lengths), strict=True))
    wanted = data.draw(st.lists(st.sampled_from([*kept]), min_size=1, max_size=6))
    for opened in (shelf, Shelf(shelf.folder)):
        batch = opened.column(wanted).batch(range(len(wanted)), 5)
        for text, name in enumerate(wanted):
            assert torch.equal(batch[text, : len(kept[name])], kept[name])
            assert batch[text, len(kept[name]) :].abs().sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_are_kept_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    counts, rows = outputs(0, [1, 1, 1])
    Shelf(tmp_path).add(digests("a", "b", "c"), [counts], [rows.to(dtype)])
    column = Shelf(tmp_path).column(digests("c", "a"))
    assert torch.equal(column.batch([0, 1], 1)[:, 0], rows.to(dtype)[[2, 0]])


def test_squares_are_the_rows_of_two_positions(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    sides = [3, 1, 2]
    counts, rows = outputs(0, [side**2 for side in sides])
    shelf.add(digests("a", "b", "c"), [counts], [rows])
    squares = shelf.column(digests("a", "b", "c")).squares([2, 0], 3)
    assert squares.shape == (2, 3, 3, 3)
    assert torch.equal(squares[1], rows[:9].view(3, 3, 3))
    assert torch.equal(squares[0, :2, :2], rows[10:].view(2, 2, 3))
    assert squares[0, 2].abs().sum() == 0
    assert squares[0, :, 2].abs().sum() == 0


def test_what_is_lacking_is_named_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add(digests("a", "b"), *in_one_part(0, [1, 1]))
    assert shelf.lacking(digests("b", "x", "a", "x", "y")) == [1, 4]
    assert Shelf(tmp_path).lacking(digests("a", "b")) == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_shard_is_not_read_and_its_inputs_are_lacking(tmp_path: Path, damage: str) -> None:
    shelf = Shelf(tmp_path)
    shelf.add(digests("a"), *in_one_part(0, [2]))
    (broken,) = tmp_path.iterdir()
    shelf.add(digests("b"), *in_one_part(1, [2]))
    content = bytearray(broken.read_bytes())
    content[-5] ^= 1
    broken.write_bytes({"cut": content[:-5], "flipped": content, "emptied": b""}[damage])
    opened = Shelf(tmp_path)
    assert opened.damaged == [broken.name]
    assert opened.lacking(digests("a", "b")) == [0]
    assert not broken.exists()


def test_a_shard_under_a_false_name_is_not_read(tmp_path: Path) -> None:
    Shelf(tmp_path).add(digests("a"), *in_one_part(0, [2]))
    (shard,) = tmp_path.iterdir()
    shard.rename(tmp_path / f"{'0' * 64}{SUFFIX}")
    assert Shelf(tmp_path).lacking(digests("a")) == [0]


DYING = """
import os, signal, sys
from pathlib import Path
import torch
from distiller.store.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]))
shelf.add([b"a" * 16], [torch.tensor([2])], [torch.ones(2, 3)])
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
shelf.add([b"b" * 16], [torch.tensor([2])], [torch.ones(2, 3)])
"""


def test_a_writer_that_is_killed_leaves_the_shards_before_and_nothing_of_its_own(tmp_path: Path) -> None:
    died = run_script(DYING, tmp_path)
    assert died.returncode == -signal.SIGKILL
    shelf = Shelf(tmp_path)
    assert shelf.damaged == []
    assert shelf.lacking([b"a" * 16, b"b" * 16]) == [1]


def test_no_room_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    shelf = Shelf(tmp_path)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        shelf.add(digests("a"), *in_one_part(0, [2]))
    assert [*tmp_path.iterdir()] == []
    assert shelf.lacking(digests("a")) == [0]
