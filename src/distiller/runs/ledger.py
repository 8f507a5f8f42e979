"""Many runs as one table."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from distiller.errors import UserError
from distiller.runs.record import FILE
from distiller.runs.table import SUFFIXES, read_table

ABSENT = float("nan")
"""In place of a value: the record has no such key. It is this one object, which no file holds."""


def load(path: str | Path, *more: str | Path) -> pd.DataFrame:
    """Every run record under some paths: one row a run, oldest first.

    Nested keys are flattened with dots (`pipeline.objective.prediction.type`, `cost.train_seconds`); lists stay whole.
    A record that is there several times, as in a ledger and its copy, is one row. Records that differ though they have
    the same `id` are a row each: none is dropped that says something else.

    Args:
        path: A folder, searched to any depth; one run.json; or a table of such columns as this function gives (CSV,
            TSV, JSON lines or Parquet by its ending; lists in CSV and TSV stay text).
        *more: Further ones.

    Raises:
        UserError: If there is no record under one of them, or one cannot be read.
    """
    rows = _Rows()
    for each in (path, *more):
        for record in _records(Path(each)):
            rows.add(dict(flat(record)))
    frame = rows.frame()
    return frame.sort_values("created", kind="stable", ignore_index=True, key=_as_text) if "created" in frame else frame


def _as_text(created: pd.Series) -> pd.Series:
    """Times of records and tables, some of which pandas has read as times, in one order."""
    return created.astype(str)


class _Rows:
    """Rows kept by column, which takes a fraction of the memory of a dictionary a row."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {}
        self._count = 0
        self._numbers: dict[int, list[int]] = {}

    def add(self, row: dict[str, Any]) -> None:
        """Add a row, unless it is there."""
        said = _without_null(row)
        alike = self._numbers.setdefault(_hash(said), [])
        if "id" in said and any(self._row(number) == said for number in alike):
            return
        alike.append(self._count)
        for name, value in row.items():
            cells = self._columns.setdefault(name, [])
            cells.extend([ABSENT] * (self._count - len(cells)))
            cells.append(value)
        self._count += 1

    def frame(self) -> pd.DataFrame:
        """All rows; those that are here no longer, so that they are not in memory twice."""
        columns = {}
        for name in [*self._columns]:
            cells = self._columns.pop(name)
            columns[name] = pd.Series(cells + [ABSENT] * (self._count - len(cells)))
        return pd.DataFrame(columns)

    def _row(self, number: int) -> dict[str, Any]:
        return _without_null({name: cells[number] for name, cells in self._columns.items() if number < len(cells)})


def _without_null(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says: a table does not tell null from a key that is not there."""
    return {name: value for name, value in row.items() if value is not None and value is not ABSENT}


def _hash(row: dict[str, Any]) -> int:
    """Equal for equal rows, and seldom for others; lists are left to the comparison that follows."""
    return hash(frozenset(item for item in row.items() if not isinstance(item[1], list)))


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What nested keys hold, by dotted name, as columns of a table of runs are called."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        columns = read_table(path).columns
        yield from (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return
    files = [path] if path.is_file() else sorted(path.rglob(FILE))
    if not files:
        raise UserError(str(path), f"holds no {FILE}; name the --out folder of a run, or a folder of such folders")
    yield from map(_read, files)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(str(file), f"not a run record ({error}); move it away") from error
    if not isinstance(content, dict):
        raise UserError(str(file), "not a run record (no JSON object); move it away")
    return content
