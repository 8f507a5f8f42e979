"""One split as its source holds it, before anyone has asked whether it makes sense."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from distiller.errors import UserError, unknown

SHOWN = 5


@dataclass(frozen=True)
class Rows:
    """Columns of cells, and where each row stands.

    Attributes:
        place: The file or the split, for errors.
        unit: What `numbers` count: lines as an editor shows them, or rows, both from 1; or questions, by their names.
        numbers: One per row.
        columns: Cells by column name, one per row.
        typed: Whether cells have types of their own (JSON, Parquet, hub); otherwise all of them are text.
    """

    place: str
    unit: Literal["line", "row", "question"]
    numbers: Sequence[int | str]
    columns: dict[str, list[Any]]
    typed: bool

    def cells(self, column: str, field: str) -> list[Any]:
        """The cells of a column that the user chose with the config field `field`.

        Raises:
            UserError: If there is no such column.
        """
        if column not in self.columns:
            raise UserError(self.place, f"{unknown('column', column, [*self.columns])}; choose one with {field}")
        return self.columns[column]

    def where(self, positions: Sequence[int]) -> str:
        """The rows at these positions in words, at most five of them by number."""
        numbers = [str(self.numbers[position]) for position in positions[:SHOWN]]
        more = f" and {len(positions) - SHOWN} more" if len(positions) > SHOWN else ""
        return f"{self.unit}{'s' if len(positions) > 1 else ''} {', '.join(numbers)}{more}"


def is_broken(cell: Any) -> bool:
    """Whether it is a text that no encoding can write: JSON's escapes can name one half of a character alone."""
    if not isinstance(cell, str):
        return False
    try:
        cell.encode()
    except UnicodeEncodeError:
        return True
    return False
