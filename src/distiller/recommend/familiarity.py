"""Whether a dataset is like any that is known, and which it is most like."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.analysis.table import numbers_of
from distiller.recommend.inputs import Number, is_input
from distiller.recommend.known import Known

Array = NDArray[np.float64]
KIND = "pipeline.task"
FARTHER = 1.5
DATASETS_AT_LEAST = 3
EMBEDDING = "data.features.embedding"


@dataclass(frozen=True)
class Familiarity:
    """How a dataset stands to the known ones.

    Attributes:
        nearest: Their names, the most alike first; empty if nothing is known of what they are like.
        strange: Why it is like none of them, in words; None if it is.
        doubt: Why that cannot be told; None if it can.
    """

    nearest: list[str]
    strange: str | None
    doubt: str | None


def familiarity(known: Known, asked: pd.DataFrame) -> Familiarity:
    """How the dataset of a row, with columns as run records have them, stands to known ones.

    It is strange if it is farther from all of them than half as much again as any of them is from its nearest; so far
    apart are features, each in units of what known datasets differ by.
    """
    kinds = {str(kind) for kind in known.frame[KIND].dropna()} if KIND in known.frame else set()
    kind = str(asked[KIND].iloc[0]) if KIND in asked else ""
    if kinds and kind and kind not in kinds:
        return Familiarity([], f"all known runs are of {', '.join(sorted(kinds))}, and this is {kind}", None)
    first = np.unique(known.dataset, return_index=True)[1]
    table = pd.concat([known.frame.iloc[first], asked.head(1)], ignore_index=True)
    features = _features(table)
    if features.shape[1] < 2 or np.isnan(features[-1]).all():
        return Familiarity([], None, "known runs say too little of their data to tell whether this is like any of them")
    apart = np.array([[_distance(one, other) for other in features] for one in features])
    np.fill_diagonal(apart, np.inf)
    own, others = apart[-1, :-1], apart[:-1, :-1]
    nearest = [known.names[place] for place in np.argsort(own, kind="stable")]
    if len(known.names) < DATASETS_AT_LEAST:
        return Familiarity(nearest, None, f"{len(known.names)} known datasets are too few to tell what is unlike them")
    if float(own.min()) > FARTHER * float(others.min(axis=1).max()):
        return Familiarity(
            nearest, f"it is farther from {nearest[0]}, the nearest, than any of them from another", None
        )
    return Familiarity(nearest, None, None)


def _features(table: pd.DataFrame) -> Array:
    """Shape [datasets, features]: in units of what the known ones, all but the last, differ by; NaN where not known."""
    columns = []
    for name in table:
        if not str(name).startswith("data.") or not is_input(str(name)):
            continue
        values = numbers_of(table, str(name))
        if len(np.unique(values[:-1][~np.isnan(values[:-1])])) > 1:
            number = Number.of(values[:-1])
            columns.append(np.where(np.isnan(values), np.nan, number.column(values)))
    if EMBEDDING in table:
        columns.extend(_embedding(table[EMBEDDING].tolist()))
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))


def _embedding(cells: list[object]) -> list[Array]:
    """Its numbers, together as much as four features."""
    width = max((len(cell) for cell in cells if isinstance(cell, list)), default=0)
    rows = np.array(
        [cell if isinstance(cell, list) and len(cell) == width else [np.nan] * width for cell in cells], float
    )
    if not width or np.isnan(rows[:-1]).all():
        return []
    spread = float(np.sqrt(np.nanvar(rows[:-1], axis=0).sum())) or 1.0
    return list((rows / spread * 2).T)


def _distance(one: Array, other: Array) -> float:
    """Root of the mean square over what is known of both."""
    both = ~np.isnan(one) & ~np.isnan(other)
    return float(np.sqrt(np.mean((one[both] - other[both]) ** 2))) if both.any() else np.inf
