"""How datasets differ in what is good on them, as pictures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from pandas import DataFrame

from distiller.report.drawing import (
    WHOLE_LINE,
    Colour,
    Picture,
    figure_of,
    lane_label,
    named_tiles,
    short,
    tile,
    wrapped,
)
from distiller.report.numbers import correlation, share, whole

NUMBERS_AT_MOST = 9
COLUMNS, LONGEST = 5, 16
ROW, TILE = 0.8, 0.7
UNKNOWN: Colour = (0.75, 0.75, 0.75, 1.0)
"""A colour that neither scale has."""


def likeness_pictures(likeness: DataFrame, intervals: str) -> list[Picture]:
    """A heat map of rank correlations.

    Args:
        likeness: A row a pair of datasets.
        intervals: What these are called.
    """
    if likeness.empty:
        return []
    names = list(dict.fromkeys([*likeness["dataset"], *likeness["other"]]))
    figure, axes = figure_of("", "", height=1.2 + 0.5 * len(names))
    for row in likeness.to_dict("records"):
        pair = (names.index(row["dataset"]), names.index(row["other"]))
        text, tip, colour = _likeness(row)
        for place in {pair, pair[::-1]}:
            tile(axes, place, text if len(names) <= NUMBERS_AT_MOST else "", tip, colour)
    named_tiles(axes, names, [wrapped(name, LONGEST) for name in names])
    caption = (
        "Whether what is good on one dataset is good on another: rank correlations of the same pipelines' retention; "
        f"1: the same order, 0: no relation, below 0: the contrary. The {intervals} are in the table."
    )
    return [Picture("likeness", caption, figure)]


def _likeness(row: Mapping[Any, Any]) -> tuple[str, str, Colour]:
    low, value, high = (float(row[name]) for name in ("low", "correlation", "high"))
    said = f"{row['dataset']} and {row['other']}, {whole(row['shared'])} pipelines on both"
    if math.isnan(value):
        return "?", f"{said}: unknown", UNKNOWN
    ends = "" if math.isnan(low) or math.isnan(high) else f" ({correlation(low)} to {correlation(high)})"
    return correlation(value), f"{said}: {correlation(value)}{ends}", mpl.colormaps["RdBu"]((value + 1) / 2)


def winner_pictures(winners: DataFrame) -> list[Picture]:
    """Tiles: the best level of each choice on each dataset, a few datasets a picture."""
    if winners.empty:
        return []
    likeliest = winners.sort_values("chance", ascending=False, kind="stable", na_position="last")
    best = likeliest.drop_duplicates(["choice", "dataset"])
    datasets = list(dict.fromkeys(winners["dataset"]))
    parts = [datasets[start : start + COLUMNS] for start in range(0, len(datasets), COLUMNS)]
    choices = list(dict.fromkeys(winners["choice"]))
    return [_winners(f"winners-{place}", best, choices, part) for place, part in enumerate(parts, 1)]


def _winners(name: str, best: DataFrame, choices: Sequence[str], datasets: Sequence[str]) -> Picture:
    figure, axes = figure_of("", "", height=0.6 + ROW * len(choices))
    for row in best[best["dataset"].isin(datasets)].to_dict("records"):
        place = (datasets.index(row["dataset"]), choices.index(row["choice"]) + (1 - TILE) / 2)
        said = f"{row['choice']} on {row['dataset']}: {row['level']}"
        chance = float(row["chance"])
        if math.isnan(chance):
            tile(axes, place, "?", f"{said}; how sure that is cannot be told", UNKNOWN, TILE)
            continue
        tip = f"{said}, the best with a chance of {share(chance)}; {whole(row['runs'])} runs"
        text = f"{wrapped(row['level'], WHOLE_LINE // len(datasets))}\n{100 * chance:.0f}%"
        tile(axes, place, text, tip, mpl.colormaps["Blues"](chance), TILE)
    named_tiles(axes, datasets, [""] * len(choices))
    for number, choice in enumerate(choices):
        lane_label(axes, number - TILE / 2, short(choice, WHOLE_LINE))
    caption = "The best level of each choice on each dataset, and the chance that it is: the darker, the surer."
    return Picture(name, caption, figure)
