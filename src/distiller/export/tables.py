"""Figures as tables in the terminal."""

from collections.abc import Sequence

from rich.table import Table

from distiller.export.bench import Benched
from distiller.export.exported import Exported
from distiller.export.figures import figures, times


def export_table(exported: Exported) -> Table:
    """A form of the model a column."""
    return _table(figures(exported))


def bench_table(benched: Sequence[Benched]) -> Table:
    """A model a column; the first is what the others are compared with."""
    return _table(
        [
            ["", *(one.name for one in benched)],
            ["size, MB", *(f"{one.size_mb:.1f}" for one in benched)],
            *times([one.latency for one in benched]),
            ["ms of its tokenizer, median", *(f"{one.tokenizer_ms:.2f}" for one in benched)],
            ["threads", *(str(one.latency["threads"]) for one in benched)],
        ]
    )


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    table.add_column(rows[0][0])
    for title in rows[0][1:]:
        table.add_column(title, justify="right", overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    return table
