"""The comparison as a table in the terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from distiller.report.rows import Entry, columns, rows, verdict


def comparison(entries: Sequence[Entry]) -> Group:
    """Teacher and finished students side by side, and the result in a sentence; the sentence alone if none finished."""
    table = Table("", *columns(entries))
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows(entries):
        table.add_row(row.name, *row.cells)
    return Group(*([table] if table.rows else []), Text(verdict(entries)))
