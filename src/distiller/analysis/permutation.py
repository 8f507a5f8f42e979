"""A second opinion: how much worse a forest foretells runs that it has not seen when one choice is shuffled in them.

A forest knows no design, so that it sees what choices do together whatever that is; it shares no assumption with the
model of `surrogate` (Breiman 2001; Fisher et al. 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from distiller.analysis.choices import Choice
from distiller.analysis.design import basis_of
from distiller.analysis.hierarchical import Array
from distiller.analysis.interval import LOWER, UPPER
from distiller.analysis.table import Table

METHOD = "permutation"
FOLDS, SHUFFLES, TREES = 5, 3, 100
RUNS_AT_MOST, RUNS_AT_LEAST = 2000, 30
RESAMPLED = 400


def permutation_importance(table: Table, random: np.random.Generator) -> tuple[pd.DataFrame, float]:
    """Shares of the forest's growing error by choice and by stage, with bootstrap intervals over pipelines; and its R².

    Shuffling a choice undoes all that it does, alone and with others: shares of choices that act together overlap. Of a
    stage all choices are shuffled together. R² is cross-validated.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    rows = np.flatnonzero(table.measured)
    if len(rows) < RUNS_AT_LEAST or not table.choices:
        return pd.DataFrame(), float("nan")
    part = table.of(np.sort(random.permutation(rows)[:RUNS_AT_MOST]))
    columns = [basis_of(choice) for choice in part.choices]
    design = np.concatenate([*columns, _indicators(part)], axis=1)
    blocks = _blocks(part.choices, [each.shape[1] for each in columns])
    outcome = part.outcome - _means(part)
    pipelines = part.pipelines
    fold = random.permutation(int(pipelines.max()) + 1)[pipelines] % FOLDS
    error, grown = np.zeros(len(part)), np.zeros((len(blocks), len(part)))
    for number in range(FOLDS):
        held, seen = fold == number, fold != number
        if not held.any() or not seen.any():
            continue
        forest = ExtraTreesRegressor(
            TREES, min_samples_leaf=2, max_features=0.5, random_state=int(random.integers(2**31)), n_jobs=-1
        ).fit(design[seen], outcome[seen])
        error[held] = (forest.predict(design[held]) - outcome[held]) ** 2
        for place, block in enumerate(blocks):
            for _ in range(SHUFFLES):
                shuffled = design[held].copy()
                shuffled[:, block.columns] = shuffled[random.permutation(len(shuffled))][:, block.columns]
                worse = (forest.predict(shuffled) - outcome[held]) ** 2 - error[held]
                grown[place, held] += worse / SHUFFLES
    reliability = 1 - error.mean() / max(float(outcome.var()), 1e-300)
    kinds = np.array([block.kind for block in blocks])
    shares = [
        _shares([block for block in blocks if block.kind == kind], part, grown[kinds == kind], reliability > 0, random)
        for kind in dict.fromkeys(kinds.tolist())
    ]
    return pd.concat(shares, ignore_index=True), float(reliability)


@dataclass(frozen=True)
class _Block:
    """What is shuffled together: the columns of a choice, or of all choices of a stage."""

    kind: str
    name: str
    group: str
    columns: list[int]


def _blocks(choices: Sequence[Choice], widths: Sequence[int]) -> list[_Block]:
    ends = np.cumsum(widths)
    of_choice = [list(range(end - width, end)) for end, width in zip(ends.tolist(), widths, strict=True)]
    blocks = [
        _Block("choice", choice.name, choice.group, columns) for choice, columns in zip(choices, of_choice, strict=True)
    ]
    for group in sorted({block.group for block in blocks}):
        inside = [column for block in blocks if block.group == group for column in block.columns]
        blocks.append(_Block("group", group, group, inside))
    return blocks


def _shares(
    blocks: Sequence[_Block],
    table: Table,
    grown: Array,
    known: bool,  # noqa: FBT001 - whether the forest foretells anything
    random: np.random.Generator,
) -> pd.DataFrame:
    value = np.maximum(grown.mean(axis=1), 0.0)
    total = max(float(value.sum()), 1e-300)
    sums = np.stack([np.bincount(table.units, each) for each in grown])
    drawn = [random.integers(sums.shape[1], size=sums.shape[1]) for _ in range(RESAMPLED)]
    means = np.array([np.maximum(sums[:, units].mean(axis=1), 0.0) for units in drawn])
    shares = means / np.maximum(means.sum(axis=1, keepdims=True), 1e-300)
    low, high = np.quantile(shares, [LOWER, UPPER], axis=0)
    return pd.DataFrame(
        {
            "method": METHOD,
            "kind": [block.kind for block in blocks],
            "name": [block.name for block in blocks],
            "group": [block.group for block in blocks],
            "value": value / total,
            "low": np.minimum(low, value / total),
            "high": np.maximum(high, value / total),
            "known": known,
        }
    )


def _indicators(table: Table) -> Array:
    parts = [np.unique(names.astype(str), return_inverse=True)[1] for names in (table.dataset, table.teacher)]
    return np.concatenate([np.eye(int(codes.max()) + 1)[codes] for codes in parts], axis=1)


def _means(table: Table) -> Array:
    keys = [pd.Series(table.dataset), pd.Series(table.teacher)]
    return pd.Series(table.outcome).groupby(keys).transform("mean").to_numpy(float)
