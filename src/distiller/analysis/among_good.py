"""What matters among the good runs: PED-ANOVA (Watanabe et al. 2023; conditional fields: Optuna's), with intervals.

Functional ANOVA says what makes the difference between all pipelines, much of which may be one field that ruins some.
This says by which fields the best runs differ from all of them.
"""

import logging
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.analysis.choices import Choice
from distiller.analysis.hierarchical import Array
from distiller.analysis.interval import LEVEL, LOWER, UPPER
from distiller.analysis.table import Table

METHOD = "PED-ANOVA"
BEST = 0.2
RUNS_AT_MOST = 1000
RUNS_AT_LEAST = 20
RESAMPLED = 40
SHUFFLED = 40


def ped_anova(table: Table, random: np.random.Generator) -> pd.DataFrame:
    """Shares of what tells the best fifth of the runs on each dataset from the others, by choice.

    What shuffled outcomes give is taken off, and a choice is known where it stands out more than the most outstanding
    choice does in 95 % of shuffles. Intervals are of the bootstrap over halves of the pipelines (Politis and Romano
    1994). Of large tables a random thousand runs is looked at.
    """
    rows = np.flatnonzero(table.measured)
    if len(rows) < RUNS_AT_LEAST or not table.choices:
        return pd.DataFrame()
    rows = random.permutation(rows)[:RUNS_AT_MOST]
    rank = _rank_within(table)[rows]
    choices = [choice.of(rows) for choice in table.choices]
    study = _Study(choices)
    units = np.unique(table.units[rows], return_inverse=True)[1]
    chance = np.array([study.divergences(_shuffled(rank, units, random)) for _ in range(SHUFFLED)])
    drawn = np.array([study.divergences(_half(rank, units, random)) for _ in range(RESAMPLED)])
    return _shares(choices, study.divergences(rank), drawn, chance)


def _shuffled(rank: Array, units: NDArray[np.int64], random: np.random.Generator) -> Array:
    """Each run with the rank of one of another unit, the same for all of its own: runs of a pipeline stay alike."""
    by_unit, counts = np.argsort(units, kind="stable"), np.bincount(units)
    other = random.permutation(len(counts))[units]
    place = (np.cumsum(counts) - counts)[other] + np.floor(random.random(len(rank)) * counts[other]).astype(int)
    return np.asarray(rank[by_unit[place]])


def _half(rank: Array, units: NDArray[np.int64], random: np.random.Generator) -> Array:
    """The ranks of half of the units, by lot: figures vary between halves as between samples of all."""
    return np.where(random.permutation(int(units.max()) + 1)[units] % 2 == 0, rank, np.nan)


def _shares(choices: Sequence[Choice], found: Array, drawn: Array, chance: Array) -> pd.DataFrame:
    expected = chance.mean(axis=0)
    above = np.maximum(found - expected, 0.0)
    # Half of a table shows more by chance than all of it: so much that the middle of the draws is the value.
    excess = np.maximum(drawn - expected, 0.0) - np.maximum(np.median(drawn, axis=0) - found, 0.0)
    shares = np.maximum(excess, 0.0) / np.maximum(np.maximum(excess, 0.0).sum(axis=1, keepdims=True), 1e-12)
    low, high = np.quantile(shares, [LOWER, UPPER], axis=0)
    spread = np.maximum(chance.std(axis=0), 1e-12)
    known = (found - expected) / spread > np.quantile(((chance - expected) / spread).max(axis=1), LEVEL)
    value = above / max(float(above.sum()), 1e-12)
    return pd.DataFrame(
        {
            "method": METHOD,
            "kind": "choice",
            "name": [choice.name for choice in choices],
            "group": [choice.group for choice in choices],
            "value": value,
            "low": np.where(known, np.minimum(low, value), 0.0),
            "high": np.maximum(high, value),
            "known": known,
        }
    )


def _rank_within(table: Table) -> Array:
    """Where a run stands among those on its dataset with its teacher, from 0 to 1."""
    keys = [pd.Series(table.dataset), pd.Series(table.teacher)]
    return np.asarray(pd.Series(table.outcome).groupby(keys).rank(pct=True), np.float64)


def _trials(choices: Sequence[Choice]) -> list[dict[str, float | str]]:
    columns = [
        [_value(choice, code) if made else None for code, made in zip(choice.codes, choice.made, strict=True)]
        for choice in choices
    ]
    names = [choice.name for choice in choices]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*columns, strict=True)
    ]


def _value(choice: Choice, code: float) -> float | str:
    return choice.levels[int(code)] if choice.levels else float(code)


class _Study:
    """The runs as a study of Optuna, made once: what is looked at in it, and how runs rank, are given each time."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        import optuna
        from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

        spaces: dict[str, BaseDistribution] = {
            choice.name: CategoricalDistribution(choice.levels) if choice.levels else FloatDistribution(0.0, 1.0)
            for choice in choices
        }
        self.names = [choice.name for choice in choices]
        self.evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST)
        previous = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(logging.WARNING)
        self.study = optuna.create_study()
        optuna.logging.set_verbosity(previous)
        for trial in _trials(choices):
            made = {name: spaces[name] for name in trial}
            self.study.add_trial(optuna.trial.create_trial(params=trial, distributions=made, value=0.0))

    def divergences(self, rank: Array) -> Array:
        """Of each choice, shape [choices]; runs whose rank is NaN are left aside."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self.evaluator.evaluate(self.study, target=lambda trial: -float(rank[trial.number]))
        return np.array([found.get(name, 0.0) for name in self.names])
