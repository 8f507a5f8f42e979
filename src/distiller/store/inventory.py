"""What lies in the store: listing it, checking it, making room."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from filelock import FileLock, Timeout

from distiller.store.outputs import ABOUT, LOCK, store_folder
from distiller.store.shelf import CHECKSUM, SUFFIX, Shelf

DAY = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """What is kept of one teacher.

    Attributes:
        folder: Where.
        about: The teacher and the number formats.
        texts: By the name of each kind of output, of how many texts there is one.
        bytes: On the disk.
        unused_days: Since a run last looked.
    """

    folder: Path
    about: dict[str, Any]
    texts: dict[str, int]
    bytes: int
    unused_days: float


def entries() -> list[Entry]:
    """All of them, the one that was used last first."""
    found = [_entry(folder) for folder in store_folder().glob("*") if (folder / ABOUT).exists()]
    return sorted(found, key=lambda entry: entry.unused_days)


def verify() -> list[Path]:
    """Read every shard; give those that are damaged, which are removed where they can be and made anew when needed.

    Those of another version, which have another checksum, are left alone.
    """
    return [
        shelf.folder / name
        for entry in entries()
        if entry.about.get("checksum") == CHECKSUM
        for shelf in (Shelf(entry.folder / kind) for kind in entry.texts)
        for name in shelf.damaged
    ]


def prune(unused_days: float | None, to_gb: float | None) -> list[Entry]:
    """Remove what was not used for so many days, then what was used longest ago until the rest fits; give what went.

    What a process is adding to is left alone. A run that is reading keeps what it has opened.
    """
    removed, kept = [], entries()
    total = sum(entry.bytes for entry in kept)
    for entry in reversed(kept):
        stale = unused_days is not None and entry.unused_days > unused_days
        too_much = to_gb is not None and total > to_gb * 1e9
        if (stale or too_much) and _removed(entry.folder):
            removed.append(entry)
            total -= entry.bytes
    return removed


def _entry(folder: Path) -> Entry:
    kinds = {path.parent.name for path in folder.glob(f"*/*{SUFFIX}")}
    return Entry(
        folder,
        json.loads((folder / ABOUT).read_text(encoding="utf-8")),
        {kind: sum(_texts(path) for path in (folder / kind).glob(f"*{SUFFIX}")) for kind in sorted(kinds)},
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        (time.time() - (folder / ABOUT).stat().st_mtime) / DAY,
    )


def _texts(shard: Path) -> int:
    try:
        with safetensors.safe_open(shard, framework="numpy") as tensors:
            return int(tensors.get_slice("digests").get_shape()[0])
    except (safetensors.SafetensorError, OSError):
        return 0  # damaged: `verify` says so


def _removed(folder: Path) -> bool:
    try:
        with FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder)
    except Timeout:
        return False
    return True
