"""What students of each size keep of their teacher, and what they take: a table, a picture, and the verdict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich import table as terminal
from rich.text import Text

from distiller.report.document import write_document
from distiller.report.drawing import (
    COLOURS,
    GREY,
    SMALL,
    Picture,
    ends,
    figure_of,
    in_per_cent,
    interval,
    legend_below,
    mark,
    short,
)
from distiller.report.numbers import between, share
from distiller.report.tables import Cell, Table, cell_of

FLOAT, INT8 = "model.onnx", "model-int8.onnx"
IN_REPORT_ALONE = ("float ms", "float MB", "tried")
"""A terminal has not the room."""
LONGEST = 16
TITLES = ("student", "keeps (95%)", "chance", "int8 ms", "float ms", "int8 MB", "float MB", "tried", "")


def write_goal(summary: Mapping[str, Any], path: Path) -> None:
    """Write the report of `auto` atomically.

    Args:
        summary: As in auto.json.
        path: The HTML file.
    """
    figure = _front(summary)
    caption = "What students keep on validation, with 95% intervals, by what one text takes; each as int8"
    write_document(
        path,
        "goal.html.jinja",
        sentences=summary["sentences"],
        pictures=[Picture("front", caption, figure)] if figure is not None else [],
        front=_table(summary),
    )


def goal_table(summary: Mapping[str, Any]) -> terminal.Table:
    """A student a row."""
    found = _table(summary)
    table = terminal.Table()
    shown = [place for place, title in enumerate(found.titles) if title not in IN_REPORT_ALONE]
    for place in shown:
        table.add_column(Text(found.titles[place]), justify="right" if found.numeric(place) else "left")
    for row in found.rows:
        table.add_row(*(Text(row[place].text) for place in shown))
    return table


def _table(summary: Mapping[str, Any]) -> Table:
    return Table("Students, the smallest first", TITLES, [_row(size, summary["chosen"]) for size in summary["front"]])


def _row(size: Mapping[str, Any], chosen: Mapping[str, Any] | None) -> list[Cell]:
    found, forms = size["retention"], size["forms"]
    said = "chosen" if chosen is not None and chosen["student"] == size["student"] else _left(size)
    return [
        Cell(size["student"]),
        Cell("") if found is None else _kept(found),
        cell_of(size["chance"], "{:.0%}".format),
        *(cell_of(forms[form]["latency"]["median_ms"], "{:.2f}".format) for form in (INT8, FLOAT)),
        *(cell_of(forms[form]["size_mb"], "{:.1f}".format) for form in (INT8, FLOAT)),
        cell_of(size["trials"]),
        Cell(said),
    ]


def _left(size: Mapping[str, Any]) -> str:
    """Why nothing is known of it; nothing if something is."""
    if size["failure"]:
        return "failed"
    return "" if size["tried"] else "not tried" if size["allowed"] else "beyond the goal"


def _kept(found: Mapping[str, Any]) -> Cell:
    return Cell(f"{share(found['value'])}{between(found['low'], found['high'])}", found["value"])


def _front(summary: Mapping[str, Any]) -> Figure | None:
    tried = [size for size in summary["front"] if size["retention"] is not None]
    if not tried:
        return None
    figure, axes = figure_of("milliseconds for one text, median", "keeps of the teacher")
    for size in tried:
        found, chosen = size["retention"], summary["chosen"]
        is_chosen = chosen is not None and chosen["student"] == size["student"]
        milliseconds = float(size["forms"][INT8]["latency"]["median_ms"])
        tip = f"{size['student']}: {share(found['value'])}{between(found['low'], found['high'])}, {milliseconds:.2f} ms"
        style = {"color": COLOURS[1], "marker": "s"} if is_chosen else {"color": COLOURS[0]}
        span = ends(found["low"], found["value"], found["high"])
        interval(axes, [milliseconds] * 3, span, tip, label="chosen" if is_chosen else None, **style)
        place = (milliseconds, found["value"])
        axes.annotate(short(size["student"], LONGEST), place, (6, 0), textcoords="offset points", fontsize=SMALL)
    goal = summary["goal"]
    line = axes.axhline(goal["retain"], color=GREY, linestyle="--", label="goal")
    mark(line, f"goal: {share(goal['retain'])}")
    if goal["latency_ms"] is not None:
        mark(axes.axvline(goal["latency_ms"], color=GREY, linestyle="--"), f"goal: {goal['latency_ms']:g} ms")
    axes.set_xlim(0, 1.2 * axes.get_xlim()[1])  # room for the names
    in_per_cent(axes.yaxis)
    legend_below(figure, axes)
    return figure
