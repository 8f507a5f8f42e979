"""What choices come to together, as pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from pandas import DataFrame

from distiller.report.drawing import (
    COLOURS,
    MARKERS,
    Picture,
    ends,
    figure_of,
    in_per_cent,
    interval,
    legend_below,
    name_ticks,
    short,
)
from distiller.report.numbers import between, share, whole

AT_MOST, LONGEST = 6, 22
SPREAD = 0.4


def interaction_pictures(cells: DataFrame, intervals: str) -> list[Picture]:
    """A picture a pair of choices: lines that do not run side by side are what the two come to only together.

    Args:
        cells: A row two levels.
        intervals: What these are called.
    """
    if cells.empty:
        return []
    pairs = list(dict.fromkeys(cells["pair"]))[:AT_MOST]
    return [
        _picture(f"interaction-{place}", cells[cells["pair"] == pair], intervals) for place, pair in enumerate(pairs, 1)
    ]


def _picture(name: str, cells: DataFrame, intervals: str) -> Picture:
    choice, other = str(cells["choice"].iloc[0]), str(cells["other_choice"].iloc[0])
    levels, lines = list(dict.fromkeys(cells["level"])), list(dict.fromkeys(cells["other_level"]))
    figure, axes = figure_of(short(choice, 50), "expected retention", height=3.6)
    for number, line in enumerate(lines):
        shift = SPREAD * ((number + 0.5) / len(lines) - 0.5)
        _draw(axes, cells[cells["other_level"] == line], levels, shift, number)
    name_ticks(axes, levels)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    in_per_cent(axes.yaxis)
    legend_below(figure, axes, short(other, 50))
    caption = f"What {choice} and {other} come to together: expected retention with {intervals}."
    return Picture(name, caption, figure)


def _draw(axes: Axes, cells: DataFrame, levels: Sequence[Any], shift: float, number: int) -> None:
    style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    rows = cells.dropna(subset="expected").to_dict("records")
    places = [levels.index(row["level"]) + shift for row in rows]
    label = short(cells["other_level"].iloc[0], LONGEST)
    axes.plot(places, [row["expected"] for row in rows], **style, markersize=5, alpha=0.5, linewidth=1, label=label)
    for place, row in zip(places, rows, strict=True):
        interval(axes, [place] * 3, ends(row["low"], row["expected"], row["high"]), _tip(row), **style)


def _tip(row: Mapping[Any, Any]) -> str:
    said = f"{row['choice']} {row['level']}, {row['other_choice']} {row['other_level']}"
    return f"{said}: {share(row['expected'])}{between(row['low'], row['high'])}; {whole(row['runs'])} runs"
