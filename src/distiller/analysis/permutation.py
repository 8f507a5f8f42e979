"""A second opinion: how much worse a forest foretells runs that it has not seen when one choice is shuffled in them.

A forest knows no design, so that it sees what choices do together whatever that is; it shares no assumption with the
model of `surrogate` (Breiman 2001; Fisher et al. 2019).
"""

import numpy as np
import pandas as pd

from distiller.analysis.design import basis_of
from distiller.analysis.hierarchical import Array
from distiller.analysis.interval import LOWER, UPPER
from distiller.analysis.table import Table

METHOD = "permutation"
FOLDS, SHUFFLES, TREES = 5, 3, 100
RUNS_AT_MOST, RUNS_AT_LEAST = 2000, 30
RESAMPLED = 400


def permutation_importance(table: Table, random: np.random.Generator) -> tuple[pd.DataFrame, float]:
    """Shares of the forest's growing error by choice, with bootstrap intervals over runs, and its cross-validated R².

    Shuffling a choice undoes all that it does, alone and with others: shares of choices that act together overlap.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    rows = np.flatnonzero(table.measured)
    if len(rows) < RUNS_AT_LEAST or not table.choices:
        return pd.DataFrame(), float("nan")
    part = table.of(np.sort(random.permutation(rows)[:RUNS_AT_MOST]))
    columns = [basis_of(choice) for choice in part.choices]
    places = np.cumsum([0, *(each.shape[1] for each in columns)])
    design = np.concatenate([*columns, _indicators(part)], axis=1)
    outcome = part.outcome - _means(part)
    pipelines = part.pipelines
    fold = random.permutation(int(pipelines.max()) + 1)[pipelines] % FOLDS
    error, grown = np.zeros(len(part)), np.zeros((len(columns), len(part)))
    for number in range(FOLDS):
        held, seen = fold == number, fold != number
        if not held.any() or not seen.any():
            continue
        forest = ExtraTreesRegressor(
            TREES, min_samples_leaf=2, max_features=0.5, random_state=int(random.integers(2**31)), n_jobs=-1
        ).fit(design[seen], outcome[seen])
        error[held] = (forest.predict(design[held]) - outcome[held]) ** 2
        for choice in range(len(columns)):
            for _ in range(SHUFFLES):
                shuffled = design[held].copy()
                block = slice(places[choice], places[choice + 1])
                shuffled[:, block] = shuffled[random.permutation(len(shuffled)), block]
                worse = (forest.predict(shuffled) - outcome[held]) ** 2 - error[held]
                grown[choice, held] += worse / SHUFFLES
    reliability = 1 - error.mean() / max(float(outcome.var()), 1e-300)
    return _shares(part, grown, float(reliability), random), float(reliability)


def _shares(table: Table, grown: Array, reliability: float, random: np.random.Generator) -> pd.DataFrame:
    value = np.maximum(grown.mean(axis=1), 0.0)
    total = max(float(value.sum()), 1e-300)
    drawn = [random.integers(grown.shape[1], size=grown.shape[1]) for _ in range(RESAMPLED)]
    means = np.array([np.maximum(grown[:, rows].mean(axis=1), 0.0) for rows in drawn])
    shares = means / np.maximum(means.sum(axis=1, keepdims=True), 1e-300)
    low, high = np.quantile(shares, [LOWER, UPPER], axis=0)
    return pd.DataFrame(
        {
            "method": METHOD,
            "kind": "choice",
            "name": [choice.name for choice in table.choices],
            "group": [choice.group for choice in table.choices],
            "value": value / total,
            "low": np.minimum(low, value / total),
            "high": np.maximum(high, value / total),
            "known": reliability > 0,
        }
    )


def _indicators(table: Table) -> Array:
    parts = [np.unique(names.astype(str), return_inverse=True)[1] for names in (table.dataset, table.teacher)]
    return np.concatenate([np.eye(int(codes.max()) + 1)[codes] for codes in parts], axis=1)


def _means(table: Table) -> Array:
    keys = [pd.Series(table.dataset), pd.Series(table.teacher)]
    return pd.Series(table.outcome).groupby(keys).transform("mean").to_numpy(float)
