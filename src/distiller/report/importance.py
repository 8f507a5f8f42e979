"""How much the choices matter, as pictures."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from pandas import DataFrame

from distiller.report.drawing import (
    COLOURS,
    GREY,
    MARKERS,
    SMALL,
    Picture,
    ends,
    in_per_cent,
    interval,
    lane_label,
    lanes,
    legend_below,
    mark,
    short,
)
from distiller.report.numbers import between, share

KINDS = {
    "group": "How much each stage of a pipeline matters",
    "choice": "How much each choice matters",
    "pair": "How much it matters which choices are made together, beyond what each does alone",
    "dataset": "How much what a choice does differs between datasets",
}
METHODS = {
    "functional ANOVA": "its share of what choices make pipelines differ by",
    "PED-ANOVA": "its share of what tells the best pipelines from the others",
    "permutation": "how much worse retention is foretold without it",
}
NOISE = "noise: of what makes runs differ, what choices do not explain"
UNKNOWN = "Hatched, with a question mark: the runs cannot tell, and it may be anything within."
AT_MOST, LONGEST = 15, 60
LABEL, METHOD, GAP, BOX = 0.2, 0.14, 0.08, 0.1


def importance_pictures(importance: DataFrame, about: Mapping[str, Any]) -> list[Picture]:
    """A picture a kind, most important first: a row a name, in it the methods one under the other.

    Args:
        importance: A row a method and name.
        about: Of the analysis; `explained` is what is not noise.
    """
    if importance.empty:
        return []
    drawn = [(kind, importance[importance["kind"] == kind]) for kind in KINDS]
    return [_picture(kind, rows, about) for kind, rows in drawn if not rows.empty]


def intervals_of(about: Mapping[str, Any]) -> str:
    """What the intervals of an analysis are called."""
    return f"{100 * float(about.get('level', 0.95)):g}% intervals"


def ranked(rows: DataFrame) -> list[str]:
    """Names, by the highest value that is known of each; those of which none is known come last."""
    known = rows[rows["known"].astype(bool)].groupby("name")["value"].max()
    return sorted(dict.fromkeys(rows["name"]), key=lambda name: -known.get(name, -1.0))


def _picture(kind: str, rows: DataFrame, about: Mapping[str, Any]) -> Picture:
    methods = list(dict.fromkeys(rows["method"]))
    names = ranked(rows)
    noise = _noise(about) if kind == "group" else None
    height = LABEL + METHOD * len(methods) + GAP
    shown = names[:AT_MOST]
    heights = [height] * len(shown) + ([] if noise is None else [LABEL + METHOD + GAP])
    figure, axes = lanes("share", heights)
    of_shown = rows[rows["name"].isin(shown)]
    known = [*of_shown["high"].dropna(), *of_shown["value"].dropna(), *(noise or ())]
    axes.set_xlim(0, 1.06 * (max(known, default=1.0) or 1.0))
    in_per_cent(axes.xaxis)
    for place, name in enumerate(shown):
        lane_label(axes, place * height + LABEL / 2, short(name, LONGEST))
        for row in rows[rows["name"] == name].to_dict("records"):
            number = methods.index(row["method"])
            _draw(axes, row, place * height + LABEL + METHOD * (number + 0.5), number)
    if noise is not None:
        _draw_noise(axes, noise, len(shown) * height)
    for number, method in enumerate(methods):
        axes.plot([], [], color=COLOURS[number], marker=MARKERS[number], markersize=5, label=method)
    unknown = not of_shown["known"].all()
    if unknown:
        axes.add_patch(Rectangle((0, 0), 0, 0, hatch="////", facecolor="none", edgecolor=GREY, label="unknown"))
    if len(methods) > 1 or unknown:
        legend_below(figure, axes)
    read = "; ".join(f"{method}: {METHODS[method]}" for method in methods if method in METHODS)
    sentences = [
        f"{KINDS[kind]}, with {intervals_of(about)}.",
        *([f"{read[0].upper()}{read[1:]}."] if read else []),
        *([UNKNOWN] if unknown else []),
        *([f"The first {AT_MOST} of {len(names)}; the others are in the table."] if len(names) > AT_MOST else []),
    ]
    return Picture(f"importance-{kind}", " ".join(sentences), figure)


def _noise(about: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """What is not explained, with its ends; None if that is not known."""
    high, value, low = (1 - float(about.get(f"explained{end}", math.nan)) for end in ("_low", "", "_high"))
    return None if math.isnan(value) else (low, value, high)


def _draw(axes: Axes, row: Mapping[Any, Any], y: float, number: int) -> None:
    low, value, high = (float(row[name]) for name in ("low", "value", "high"))
    said = f"{row['name']}, {row['method']}"
    if row["known"] and not math.isnan(value):
        tip = f"{said}: {share(value)}{between(low, high)}"
        interval(axes, ends(low, value, high), [y] * 3, tip, color=COLOURS[number], marker=MARKERS[number])
        return
    left, right = axes.get_xlim()
    start, end = left if math.isnan(low) else low, right if math.isnan(high) else high
    box = Rectangle((start, y - BOX / 2), end - start, BOX, hatch="////", facecolor="none", edgecolor=COLOURS[number])
    mark(axes.add_patch(box), f"{said}: unknown, the runs cannot tell{between(low, high)}")
    axes.annotate("?", (end, y), (3, 0), textcoords="offset points", fontsize=SMALL, fontweight="bold", va="center")


def _draw_noise(axes: Axes, noise: tuple[float, float, float], top: float) -> None:
    low, value, high = noise
    lane_label(axes, top + LABEL / 2, NOISE)
    tip = f"{NOISE}: {share(value)}{between(low, high)}"
    interval(axes, ends(*noise), [top + LABEL + METHOD / 2] * 3, tip, color=GREY)
