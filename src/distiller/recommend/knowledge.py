"""Knowledge: a folder of run records that recommendations are made from, which grows by studies.

One comes with the program: `BUILT_IN`, this project's own study (examples/study).
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distiller.analysis.choices import is_missing
from distiller.analysis.table import DATASET, N_TRAIN, numbers_of, prepare
from distiller.assets import cache_folder
from distiller.errors import UserError
from distiller.files import write_json, write_text
from distiller.recommend.known import Known, known_runs
from distiller.runs import load

VERSION = 1
VERSION_FILE, STUDIES = "knowledge.json", "*.jsonl"
PLACE = "DISTILLER_KNOWLEDGE"
BUILT_IN = Path(__file__).parent / "builtin"
ID = "id"
NAMED = 5
"""So many datasets are told by name."""
COURSE = "metrics.history"
"""Nine tenths of a record, of which recommendations learn nothing."""


def knowledge_folder() -> Path:
    """`DISTILLER_KNOWLEDGE`, or a folder of the cache."""
    return Path(os.environ.get(PLACE) or cache_folder() / "knowledge")


def at_hand(folder: Path | None) -> Path | None:
    """The folder that is given; else the usual one, or None if there is nothing to learn from."""
    if folder is not None:
        return folder
    usual = knowledge_folder()
    try:
        known_runs(read(usual))
    except UserError:
        return None
    return usual


def add(paths: list[Path], folder: Path) -> int:
    """Add the finished runs under some paths, or in other knowledge folders, to one: how many were not there yet.

    They become one file of JSON lines, written whole, named by its content; adding it again changes nothing.

    Raises:
        UserError: If there are no such runs, they say nothing of their data or pipelines, or the folder is of another
            version.
    """
    for each in (folder, *paths):
        _check_version(each)
    first, *others = [part for path in paths for part in _parts(path)]
    frame = _finished(load(first, *others), ", ".join(map(str, paths)))
    there = set(_frame(folder)[ID].astype(str)) if _studies(folder) else set()
    new = frame[~frame[ID].astype(str).isin(there)]
    if not len(new):
        return 0
    lines = [json.dumps(_row(row), sort_keys=True, ensure_ascii=False) for row in new.to_dict("records")]
    text = "\n".join(lines) + "\n"
    write_json(folder / VERSION_FILE, {"version": VERSION})
    write_text(folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl", text)
    return len(new)


def read(folder: Path | None) -> pd.DataFrame:
    """All runs of a knowledge folder, or of any folder or table of run records.

    Args:
        folder: None: those that come with the program, and those in the usual place.

    Raises:
        UserError: If there are none, or it is of another version.
    """
    if folder is not None:
        return _read(folder)
    built_in, *others = [_read(place) for place in places(None)]
    own = [frame[~frame[ID].isin(built_in[ID])] if ID in frame else frame for frame in others]
    return pd.concat([built_in, *own], ignore_index=True)


def places(folder: Path | None) -> list[Path]:
    """Where the runs are that `read` gives."""
    if folder is not None:
        return [folder]
    own = knowledge_folder()
    _check_version(own)
    return [BUILT_IN] if _is_empty(own) else [BUILT_IN, own]


def said(known: Known, folder: Path | None) -> str:
    """What was learned from, in a sentence."""
    beyond = len(known.names) - NAMED
    names = f"{', '.join(known.names[:NAMED])}{f' and {beyond} more' if beyond > 0 else ''}"
    found = f"Learned from {len(known)} runs, on {names}"
    if places(folder) == [BUILT_IN]:
        return f"{found}. They come with the program: add runs of your own with `distiller knowledge add RUNS…`."
    return f"{found}."


def listing(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a dataset: its `runs`, how many `pipelines` and `teachers`, `examples`, `median` and `best` retention."""
    known = known_runs(frame)
    rows = []
    for name in known.names:
        here = known.of(known.dataset == name)
        rows.append(
            {
                "dataset": name,
                "runs": len(here),
                "pipelines": len(np.unique(here.pipelines)),
                "teachers": _different(here, "teacher.model"),
                "examples": float(pd.Series(numbers_of(here.frame, N_TRAIN)).median()),
                "median": float(np.median(here.outcome)),
                "best": float(here.outcome.max()),
            }
        )
    return pd.DataFrame(rows)


def _different(known: Known, column: str) -> int:
    return int(known.frame[column].nunique()) if column in known.frame else 0


def _studies(folder: Path) -> list[Path]:
    return sorted(folder.glob(STUDIES)) if folder.is_dir() else []


def _read(folder: Path) -> pd.DataFrame:
    _check_version(folder)
    if folder.is_dir() and _studies(folder):
        return _frame(folder)
    if _is_empty(folder):
        raise UserError(
            str(folder), "holds no known runs; add some with `distiller knowledge add RUNS…`, or name --knowledge"
        )
    return load(folder)


def _is_empty(folder: Path) -> bool:
    """Whether nothing is there, or a knowledge folder to which nothing was added."""
    return not folder.exists() or (folder.is_dir() and not {path.name for path in folder.iterdir()} - {VERSION_FILE})


def _parts(path: Path) -> list[Path]:
    """The studies of a knowledge folder; of anything else itself."""
    if not (path / VERSION_FILE).exists():
        return [path]
    if not _studies(path):
        raise UserError(str(path), "is a knowledge folder without runs; name one that has some, or folders of runs")
    return _studies(path)


def _frame(folder: Path) -> pd.DataFrame:
    first, *others = _studies(folder)
    return load(first, *others)


def _check_version(folder: Path) -> None:
    file = folder / VERSION_FILE
    if not file.exists():
        return
    try:
        version = json.loads(file.read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(str(file), "says no version; add the studies to a new folder") from error
    if version != VERSION:
        raise UserError(
            str(file), f"is of version {version!r}, and this is for {VERSION}; name another --knowledge, or update"
        )


def _finished(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """Those that recommendations can be made from, each with an id."""
    if not any(str(name).startswith("pipeline.") for name in frame):
        raise UserError(place, "has no column that begins with `pipeline.`; map it first: `distiller runs import`")
    table = prepare(frame)
    rows = table.of(table.measured).frame.drop(columns=COURSE, errors="ignore")
    if not len(rows):
        raise UserError(place, "has no finished run with a retention; let some finish first")
    if not any(name in rows for name in DATASET):
        raise UserError(place, f"does not say on which data each run was; add a column {DATASET[0]}")
    own = rows[ID].astype(str) if ID in rows else pd.Series("", index=rows.index)
    return rows.assign(**{ID: own.where(own.str.len() > 0, [_digest(row) for row in rows.to_dict("records")])})


def _digest(row: dict[Any, Any]) -> str:
    return hashlib.sha256(json.dumps(_row(row), sort_keys=True).encode()).hexdigest()[:16]


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    """What a run says, as JSON holds it."""
    return {str(name): _plain(value) for name, value in row.items() if not is_missing(value)}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
