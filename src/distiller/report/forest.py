"""What one level of a choice brings over another, as forest plots."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from pandas import DataFrame

from distiller.report.drawing import COLOURS, GREY, SMALL, Picture, ends, interval, lane_label, lanes, short
from distiller.report.numbers import between, points, whole

AT_MOST, LONGEST = 15, 44
HEAD, ROW = 0.26, 0.36
HOLLOW = "Filled: supported after adjustment for many comparisons; hollow: not."


def forest_pictures(contrasts: DataFrame, intervals: str) -> list[Picture]:
    """One of all runs, and one of what is supported in a part of them.

    Args:
        contrasts: A row a comparison.
        intervals: What these are called.
    """
    if contrasts.empty:
        return []
    known = contrasts[contrasts["difference"].notna()]
    overall = known["scope"] == "overall"
    drawn = [
        ("contrasts", "One level of a choice against another, over all runs", known[overall]),
        (
            "contrasts-in-parts",
            "One level of a choice against another in a part of the runs, where a difference is supported",
            known[~overall & known["supported"].astype(bool)],
        ),
    ]
    return [_picture(name, title, rows, intervals) for name, title, rows in drawn if not rows.empty]


def strongest(contrasts: DataFrame, count: int) -> DataFrame:
    """The supported first, and of these the largest differences."""
    order = ["supported", "size"]
    sized = contrasts.assign(size=contrasts["difference"].abs(), supported=contrasts["supported"].astype(bool))
    return sized.sort_values(order, ascending=False, kind="stable").head(count)


def where(contrast: Mapping[Any, Any]) -> str:
    """In what part of the runs a contrast holds, to be said after it; empty if in all."""
    if contrast["scope"] == "overall":
        return ""
    return f", {'on ' if contrast['scope'] == 'dataset' else ''}{contrast['part']}"


def _picture(name: str, title: str, contrasts: DataFrame, intervals: str) -> Picture:
    shown = strongest(contrasts, AT_MOST)
    choices = list(dict.fromkeys(shown["choice"]))
    figure, axes = lanes("difference in retention, points", [HEAD] * len(choices) + [ROW] * len(shown))
    top = 0.0
    for choice in choices:
        lane_label(axes, top + HEAD * 0.6, short(choice, LONGEST), weight="bold")
        top += HEAD
        for row in shown[shown["choice"] == choice].to_dict("records"):
            _draw(axes, row, top)
            top += ROW
    rest = len(contrasts) - len(shown)
    sentences = [
        f"{title}, in points of retention with {intervals}: right of zero the first is better.",
        *([] if shown["supported"].all() else [HOLLOW]),
        *([f"The {AT_MOST} strongest; {rest} more are in the table."] if rest > 0 else []),
    ]
    return Picture(name, " ".join(sentences), figure)


def _draw(axes: Axes, row: Mapping[Any, Any], top: float) -> None:
    low, difference, high = (float(row[name]) for name in ("low", "difference", "high"))
    compared = f"{row['level']} vs {row['other']}{where(row)}"
    numbers = f"{points(difference)}{between(low, high)}"
    lane_label(axes, top + 0.1, short(compared, LONGEST))
    axes.text(1, top + 0.1, numbers, transform=axes.get_yaxis_transform(), fontsize=SMALL, ha="right", va="center")
    axes.plot([0, 0], [top + 0.18, top + ROW], color=GREY, linewidth=1, zorder=0)
    style = {} if row["supported"] else {"markerfacecolor": "none"}
    tip = f"{row['choice']}: {compared}: {numbers} points; {whole(row['runs'])} runs against {whole(row['other_runs'])}"
    places = [100 * end for end in ends(low, difference, high)]
    interval(axes, places, [top + 0.25] * 3, tip, color=COLOURS[0], **style)
