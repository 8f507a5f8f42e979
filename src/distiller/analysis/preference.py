"""What each dataset likes: levels that win there, its best pipelines, and whether datasets like the same."""

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from distiller.analysis.choices import WITHOUT, Choice
from distiller.analysis.hierarchical import Array
from distiller.analysis.interval import interval
from distiller.analysis.surrogate import Surrogate
from distiller.analysis.table import OTHERS, Table

BEST = 5
PAIRS_SHOWN = 4
PIPELINES_AT_MOST = 300
DRAWS_AT_MOST = 200
WINNERS = ["choice", "dataset", "level", "chance", "advantage", "low", "high", "runs"]
BEST_COLUMNS = ["dataset", "rank", "pipeline", "retention", "expected", "low", "high", "run"]
LIKENESS = ["dataset", "other", "correlation", "low", "high", "shared"]
CELLS = ["pair", "choice", "other_choice", "level", "other_level", "expected", "low", "high", "runs"]


def winners(table: Table, surrogate: Surrogate) -> pd.DataFrame:
    """For each dataset and choice the level that is most probably the best there, and by how much over the others.

    `chance` is the posterior probability that it is; other choices are as they come by lot.
    """
    return pd.DataFrame(
        [row for choice in table.choices if choice.levels for row in _winner(table, surrogate, choice)], columns=WINNERS
    )


def _winner(table: Table, surrogate: Surrogate, choice: Choice) -> list[dict[str, object]]:
    rows = []
    of_run = table.compared_datasets
    for dataset in np.unique(of_run):
        here = (of_run == dataset) & table.measured
        counts = np.bincount(choice.codes[here & choice.made].astype(int), minlength=len(choice.levels))
        effects = _effects(surrogate, choice, str(dataset))
        tried = np.flatnonzero(counts)
        if len(tried) < 2:
            continue
        among = effects[:, tried]
        chances = np.bincount(among.argmax(axis=1), minlength=len(tried)) / len(among)
        best = int(chances.argmax())
        advantage = among[:, best] - np.delete(among, best, axis=1).mean(axis=1)
        low, high = interval(advantage)
        rows.append(
            {
                "choice": choice.name,
                "dataset": str(dataset),
                "level": choice.levels[tried[best]],
                "chance": float(chances[best]),
                "advantage": float(advantage.mean()),
                "low": low,
                "high": high,
                "runs": int(counts[tried[best]]),
            }
        )
    return rows


def _effects(surrogate: Surrogate, choice: Choice, dataset: str) -> Array:
    """What each level adds on a dataset, shape [draws, levels]."""
    _, first = np.unique(choice.codes[choice.made], return_index=True)
    rows = np.flatnonzero(choice.made)[first]
    names = [name for name, source in surrogate.sources.items() if source.choices == (choice.name,)]
    parts = [surrogate.posterior.of(name) @ surrogate.columns(name, rows, dataset).T for name in names]
    return np.asarray(np.sum(parts, axis=0))


def best(table: Table, surrogate: Surrogate) -> pd.DataFrame:
    """The runs with the highest retention on each dataset, with what the surrogate expects of their pipelines.

    What is expected is the fairer figure: the best of many runs was lucky too.
    """
    design = np.concatenate([np.ones((len(table), 1)), *(batch.columns for batch in surrogate.batches)], axis=1)
    rows = []
    of_run = table.compared_datasets
    for dataset in np.unique(of_run[of_run != OTHERS]):
        here = np.flatnonzero((of_run == dataset) & table.measured)
        ranked = here[np.argsort(-table.outcome[here], kind="stable")][:BEST]
        for rank, run in enumerate(ranked, start=1):
            expected = surrogate.posterior.coefficients @ design[run]
            low, high = interval(expected)
            rows.append(
                {
                    "dataset": str(dataset),
                    "rank": rank,
                    "pipeline": pipeline_text(table, int(run)),
                    "retention": float(table.outcome[run]),
                    "expected": float(expected.mean()),
                    "low": low,
                    "high": high,
                    "run": str(table.frame["id"].iloc[run]) if "id" in table.frame else str(run),
                }
            )
    return pd.DataFrame(rows, columns=BEST_COLUMNS)


def pipeline_text(table: Table, run: int) -> str:
    """The choices of a run in one line, but for augmentation and mixup that it does without."""
    made = {choice.name: choice.text(choice.codes[run]) for choice in table.choices if choice.made[run]}
    return ", ".join(f"{name}={level}" for name, level in made.items() if level != WITHOUT)


def likeness(table: Table, surrogate: Surrogate, random: np.random.Generator) -> pd.DataFrame:
    """Rank correlation between datasets of what the surrogate expects of all pipelines in the table, students aside.

    `shared` counts the pipelines that were run on both.
    """
    of_run = table.compared_datasets
    datasets = np.unique(of_run)
    if len(datasets) < 2 or not surrogate.sources:
        return pd.DataFrame(columns=LIKENESS)
    pipelines = table.pipelines
    _, first = np.unique(pipelines, return_index=True)
    rows = np.sort(random.permutation(first)[:PIPELINES_AT_MOST])
    draws = np.linspace(0, len(surrogate.posterior.noise) - 1, DRAWS_AT_MOST).astype(int)
    ranks = {name: rankdata(_expected(table, surrogate, rows, str(name), draws), axis=1) for name in datasets}
    tried = {name: {*pipelines[of_run == name].tolist()} for name in datasets}
    found = []
    for one, other in combinations(datasets, 2):
        correlation = _correlation(ranks[one], ranks[other])
        low, high = interval(correlation)
        shared = tried[one] & tried[other]
        value = {"correlation": float(np.mean(correlation)), "low": low, "high": high, "shared": len(shared)}
        found.append({"dataset": str(one), "other": str(other)} | value)
    return pd.DataFrame(found, columns=LIKENESS)


def _expected(
    table: Table, surrogate: Surrogate, rows: NDArray[np.int64], dataset: str, draws: NDArray[np.int64]
) -> Array:
    """What the pipelines of some runs would come to on a dataset, shape [draws, rows]; students aside."""
    student = {choice.name for choice in table.choices if choice.group == "student"}
    names = [name for name, source in surrogate.sources.items() if not student & set(source.choices)]
    parts = [surrogate.posterior.of(name)[draws] @ surrogate.columns(name, rows, dataset).T for name in names]
    return np.asarray(np.sum(parts, axis=0)) if parts else np.zeros((len(draws), len(rows)))


def _correlation(first: Array, second: Array) -> Array:
    """Of each row of one with that of the other."""
    first, second = (each - each.mean(axis=1, keepdims=True) for each in (first, second))
    product = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / np.maximum(product, 1e-300))


def cells(table: Table, surrogate: Surrogate, importance: pd.DataFrame) -> pd.DataFrame:
    """Expected retention for each combination of levels of the pairs of choices that act together most."""
    levels = {choice.name: choice for choice in table.choices if choice.levels}
    pairs = importance[(importance["kind"] == "pair") & (importance["low"] > 0) & importance["known"].astype(bool)]
    pairs = pairs.sort_values("value", ascending=False)
    rows = []
    for name in pairs["name"]:
        one, other = surrogate.sources[name].choices
        if one in levels and other in levels:
            rows.append(_cells(table, surrogate, name, levels[one], levels[other]))
    return pd.DataFrame([cell for pair in rows[:PAIRS_SHOWN] for cell in pair], columns=CELLS)


def _cells(table: Table, surrogate: Surrogate, name: str, one: Choice, other: Choice) -> list[dict[str, object]]:
    rows = []
    for level, text in enumerate(one.levels):
        for other_level, other_text in enumerate(other.levels):
            here = np.flatnonzero((one.codes == level) & (other.codes == other_level))
            if not len(here):
                continue
            expected = surrogate.posterior.of("intercept")[:, 0].copy()
            for part in (one.name, other.name, name):
                expected += surrogate.posterior.of(part) @ surrogate.columns(part, here[:1], "")[0]
            low, high = interval(expected)
            rows.append(
                {
                    "pair": name,
                    "choice": one.name,
                    "other_choice": other.name,
                    "level": text,
                    "other_level": other_text,
                    "expected": float(expected.mean()),
                    "low": low,
                    "high": high,
                    "runs": int(table.measured[here].sum()),
                }
            )
    return rows
