"""A table of runs that is one file, read by its ending: CSV, TSV, JSON lines or Parquet."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import parquet

from distiller.errors import UserError, did_you_mean, unknown


@dataclass(frozen=True)
class Table:
    """Cells as Python values.

    Attributes:
        place: The file, for errors.
        columns: By name, one cell a row; None where a cell is empty.
    """

    place: str
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def cells(self, column: str, field: str) -> list[Any]:
        """The cells of a column that the field `field` of a mapping names.

        Raises:
            UserError: If there is no such column, or a cell holds what JSON cannot; names the row.
        """
        if column not in self.columns:
            raise UserError(self.place, f"{unknown('column', column, [*self.columns])}; name one in {field}")
        cells = self.columns[column]
        for row, cell in enumerate(cells):
            if not is_json(cell):
                raise UserError(
                    self.row(row), f"column {column!r}: JSON has no {cell!r}; write a number, text or nothing"
                )
        return cells

    def row(self, row: int) -> str:
        """A row in words, counted from 1 as its readers do."""
        return f"{self.place} row {row + 1}"


def is_json(value: object) -> bool:
    """Whether a value is what JSON in UTF-8 can hold: no date, no infinity, no half of a character."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def read_table(path: Path) -> Table:
    """The table in a file whose ending is one of `SUFFIXES`, in either case.

    Empty cells, and in CSV and TSV what pandas reads as missing (`NA`, `nan`, `null`, `None`, …), are None.

    Raises:
        UserError: If it cannot be read, is malformed or has no rows.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(str(path), f"{unknown('ending', path.suffix, SUFFIXES)}; save the table as one of these")
    try:
        columns = reader(path)
    except FileNotFoundError as error:
        near = did_you_mean(path.name, [file.name for file in path.parent.glob("*.*")])
        raise UserError(str(path), f"cannot be read: {error.strerror}{near}") from error
    except OSError as error:
        raise UserError(str(path), f"cannot be read: {error.strerror or error}; check the file") from error
    except UnicodeDecodeError as error:
        raise UserError(str(path), f"is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except (csv.Error, pd.errors.ParserError, pyarrow.ArrowException) as error:
        raise UserError(str(path), f"is no {path.suffix} file that can be read ({error}); write it anew") from error
    table = Table(str(path), {name: [*map(_without_nan, cells)] for name, cells in columns.items()})
    if not len(table):
        raise UserError(str(path), "has no rows; give a table with a header and rows")
    return table


def _without_nan(cell: Any) -> Any:
    return None if cell is pd.NA or (isinstance(cell, float) and cell != cell) else cell


def _delimited(path: Path, separator: str) -> dict[str, list[Any]]:
    _check_lines(path, separator)
    # Whole numbers stay whole though cells are empty, and a column has one type over its whole length.
    frame = pd.read_csv(
        path,
        sep=separator,
        encoding="utf-8-sig",
        dtype_backend="numpy_nullable",
        low_memory=False,
    )
    return {str(name): cells.tolist() for name, cells in frame.items()}


def _check_lines(path: Path, separator: str) -> None:
    """Refuse what pandas would mend by guessing: lines that are too short, and two columns of one name."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=separator, strict=True)
        header = next(lines, [])
        if not header:
            raise UserError(str(path), "begins without a header; give a table with a header and rows")
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise UserError(str(path), f"two columns are called {twice[0]!r}; rename one")
        for cells in lines:
            if cells and len(cells) != len(header):
                mend = f"has {len(cells)} cells where the header has {len(header)}; mend that line"
                raise UserError(f"{path} line {lines.line_num}", mend)


def _json_lines(path: Path) -> dict[str, list[Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            rows.append(_json_object(line, f"{path} line {number}"))
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def _json_object(line: str, place: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(place, f"is not JSON ({error}); write one JSON object on each line") from error
    if not isinstance(content, dict):
        raise UserError(place, "is no JSON object; write one on each line, with a key for each column")
    return content


def _parquet(path: Path) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns


_READERS: dict[str, Callable[[Path], dict[str, list[Any]]]] = {
    ".csv": partial(_delimited, separator=","),
    ".tsv": partial(_delimited, separator="\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
SUFFIXES = [*_READERS]
