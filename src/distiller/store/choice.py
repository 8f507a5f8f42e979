"""Whether a run keeps the outputs of its teacher, and why."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from distiller.store.config import StoreConfig


@dataclass(frozen=True)
class Need:
    """What a run wants of its teacher.

    Attributes:
        texts: Distinct training texts.
        lacking: How many of them have no outputs in the store yet.
        bytes: What the outputs of all of them take.
        bytes_lacking: What those take that have none yet.
        reads: How often the run, or the search that it belongs to, looks at each text.
        pads_left: Whether the teacher's tokenizer pads on the left.
    """

    texts: int
    lacking: int
    bytes: int
    bytes_lacking: int
    reads: int
    pads_left: bool


@dataclass(frozen=True)
class Choice:
    """Whether outputs are kept, and why, in a line."""

    kept: bool
    reason: str


def choose(config: StoreConfig, need: Need, folder: Path) -> Choice:
    """What a run does; with `mode: on`, whether it can do what was asked for.

    Args:
        config: What was asked for; `mode` is not off.
        need: What for.
        folder: Where outputs would be kept.
    """
    obstacle = _obstacle(need, folder)
    if obstacle is not None:
        return Choice(kept=False, reason=obstacle)
    if config.mode == "on" or need.lacking == 0:
        return Choice(kept=True, reason=_summary(need))
    if need.bytes > config.budget_gb * 1e9:
        reason = f"outputs of {need.texts} texts take {_gigabytes(need.bytes)}, more than store.budget_gb"
        return Choice(kept=False, reason=f"{reason} ({config.budget_gb:g})")
    if need.reads == 1:
        return Choice(kept=False, reason="each text is looked at once, so that keeping outputs saves nothing")
    return Choice(kept=True, reason=_summary(need))


def _obstacle(need: Need, folder: Path) -> str | None:
    """What is in the way of keeping outputs, with the mend; None if nothing is."""
    if need.pads_left:
        return "the teacher's tokenizer pads on the left, which the store does not know"
    if need.lacking == 0:
        return None
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return f"{there} cannot be written and lacks {need.lacking} of {need.texts} texts; set DISTILLER_CACHE"
    free = shutil.disk_usage(there).free
    if need.bytes_lacking > free:
        room = f"takes {_gigabytes(need.bytes_lacking)} and {_gigabytes(free)} are free at {there}"
        return f"what is lacking {room}; make room, or set DISTILLER_CACHE"
    return None


def _summary(need: Need) -> str:
    size = _gigabytes(need.bytes)
    if need.lacking == 0:
        return f"outputs of all {need.texts} texts are there ({size})"
    return f"outputs of {need.lacking} of {need.texts} texts are computed once ({size}) and read {need.reads} times"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
