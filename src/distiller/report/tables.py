"""Tables as pages show them: each cell has its text, and the number that it is sorted by if it is one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pandas import DataFrame


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Attributes:
        text: As it is shown.
        value: What it is sorted by; None if that is the text.
    """

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table that is made from a frame.

    Attributes:
        title: As it is shown.
        name: Of the column in the frame.
        form: What makes text of a number; None: as it comes.
    """

    title: str
    name: str
    form: Callable[[float], str] | None = None


@dataclass(frozen=True)
class Table:
    """A table that can be sorted.

    Attributes:
        caption: What it holds.
        titles: Of the columns.
        rows: Of cells, as many as there are titles.
    """

    caption: str
    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def numeric(self, place: int) -> bool:
        """Whether a column has numbers."""
        return any(row[place].value is not None for row in self.rows)


def table_of(caption: str, frame: DataFrame, columns: Sequence[Column]) -> Table:
    """The rows of a frame."""
    rows = [[cell_of(row[column.name], column.form) for column in columns] for row in frame.to_dict("records")]
    return Table(caption, [column.title for column in columns], rows)


def cell_of(value: Any, form: Callable[[float], str] | None = None) -> Cell:
    """Empty for what is not known; truth in words."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell("")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if not isinstance(value, int | float):
        return Cell(str(value))
    as_it_comes = "{:g}".format if isinstance(value, float) else str
    return Cell((form or as_it_comes)(value), float(value) if math.isfinite(value) else None)
