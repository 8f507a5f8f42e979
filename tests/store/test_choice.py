"""What `auto` chooses, and why."""

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from distiller.store import Need, StoreConfig, choose

NEED = Need(texts=1000, lacking=1000, bytes=2_000_000_000, bytes_lacking=2_000_000_000, reads=3, pads_left=False)
AUTO, ON = StoreConfig(), StoreConfig(mode="on")
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _ten_gigabytes_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(20 * 10**9, 10 * 10**9, 10 * 10**9))


@pytest.mark.parametrize(
    ("config", "need", "kept", "reason"),
    [
        (AUTO, NEED, True, "outputs of 1000 of 1000 texts are computed once (2 GB) and read 3 times"),
        (AUTO, replace(NEED, reads=1), False, "each text is looked at once, so that keeping outputs saves nothing"),
        (AUTO, replace(NEED, reads=1, lacking=0), True, "outputs of all 1000 texts are there (2 GB)"),
        (
            StoreConfig(budget_gb=1.5),
            NEED,
            False,
            "outputs of 1000 texts take 2 GB, more than store.budget_gb (1.5)",
        ),
        (
            StoreConfig(budget_gb=100),
            replace(NEED, bytes=12 * 10**9, bytes_lacking=11 * 10**9),
            False,
            "what is lacking takes 11 GB and 10 GB are free",
        ),
        (AUTO, replace(NEED, pads_left=True), False, "pads on the left"),
        (ON, replace(NEED, reads=1, bytes=9 * 10**9), True, "are computed once (9 GB) and read 1 times"),
        (ON, replace(NEED, pads_left=True), False, "pads on the left"),
        (ON, replace(NEED, bytes_lacking=11 * 10**9), False, "make room, or set DISTILLER_CACHE"),
    ],
)
def test_what_is_chosen_and_why(tmp_path: Path, config: StoreConfig, need: Need, *, kept: bool, reason: str) -> None:
    choice = choose(config, need, tmp_path / "not" / "there" / "yet")
    assert choice.kept is kept
    assert reason in choice.reason
    assert "\n" not in choice.reason
