"""One level of a choice against another: the difference in retention, adjusted for all else, overall and in parts.

Each choice is compared in a mixed-effects model of the runs in which it was made: its levels as they come, every other
choice, the dataset and the teacher drawn towards zero, and the levels on each dataset, so that what datasets disagree
on widens the interval of what is said overall. Within a scope p is corrected for all comparisons (Holm 1979).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kurtosis
from scipy.stats import t as student_t

from distiller.analysis.choices import NONE, WITHOUT, Choice
from distiller.analysis.design import basis_of, single_columns
from distiller.analysis.hierarchical import Array, Batch, fit
from distiller.analysis.interval import LEVEL, interval
from distiller.analysis.surrogate import are_repeated, context_of, repeated
from distiller.analysis.table import N_TRAIN, STUDENT_SIZE, Table, numbers_of

DRAWS, WARM_UP = 600, 200
PAIRS_UP_TO = 5
RUNS_A_LEVEL, RUNS_AT_LEAST = 3, 8
Disagreement = Callable[[str], float | None]
OWN, SLOPES = "own", "own on each dataset"
AUGMENTATION: Final = "augmentation"
ANY_STEP, ANY_LOSS = "any step of augmentation", "any loss between layers"
INTERMEDIATE = "objective.intermediate"
COLUMNS = [
    "choice", "level", "other", "scope", "part", "difference", "low", "high", "p", "adjusted_p", "supported", "runs",
    "other_runs",
]  # fmt: skip


def contrasts(table: Table, disagreement: Disagreement, random: np.random.Generator) -> pd.DataFrame:
    """Differences in retention, a row each; `supported` where the interval and the corrected p agree that there is one.

    `level` is the better one. Scopes: `overall`, and in parts by `dataset`, `data size` and `student size`.

    Args:
        table: The runs, with outcomes drawn for those that were pruned.
        disagreement: How far datasets may differ in what a choice does: few datasets alone could not tell.
        random: What the draws are made with.
    """
    rows = [row for scope, part, some in _parts(table) for row in _of_part(some, scope, part, disagreement, random)]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(rows)
    frame["adjusted_p"] = frame.groupby("scope")["p"].transform(_holm)
    frame["supported"] = (frame["adjusted_p"] < 1 - LEVEL) & ((frame["low"] > 0) | (frame["high"] < 0))
    return frame[COLUMNS].reset_index(drop=True)


def compared(table: Table) -> list[Choice]:
    """All choices with levels; and whether there is augmentation, or a loss between layers, at all."""
    choices = [_in_thirds(choice) for choice in table.choices]
    steps = [choice for choice in choices if choice.group == AUGMENTATION and WITHOUT in choice.levels]
    if len(steps) > 1:
        none = np.all([choice.codes == choice.levels.index(WITHOUT) for choice in steps], axis=0)
        choices.append(Choice(ANY_STEP, AUGMENTATION, ("without", "with"), 1.0 - none))
    kind = next((choice for choice in choices if choice.name == f"{INTERMEDIATE}.type"), None)
    if kind is not None and NONE in kind.levels and len(kind.levels) > 2:
        some = (kind.codes != kind.levels.index(NONE)).astype(float)
        choices.append(Choice(ANY_LOSS, kind.group, ("without", "with"), some))
    return choices


def _parts(table: Table) -> Iterator[tuple[str, str, Table]]:
    yield "overall", "", table
    sizes = {"data size": (N_TRAIN, "examples"), "student size": (_first(table, STUDENT_SIZE), "")}
    for scope, (column, unit) in sizes.items():
        numbers = numbers_of(table.frame, column)
        edge = _edge(numbers)
        if edge is None:
            continue
        unit = unit or ("layers" if column.endswith("layers") else "parameters")
        yield scope, f"below {edge:,.0f} {unit}", table.of(numbers < edge)
        yield scope, f"from {edge:,.0f} {unit}", table.of(numbers >= edge)


def _first(table: Table, names: Sequence[str]) -> str:
    return next((name for name in names if name in table.frame), names[0])


def _edge(numbers: Array) -> float | None:
    """A round number in the middle of the widest gap between sizes, by their ratio; None if there is one size."""
    sizes = np.unique(numbers[numbers > 0])
    if len(sizes) < 2:
        return None
    gap = int(np.argmax(sizes[1:] / sizes[:-1]))
    low, high = sizes[gap], sizes[gap + 1]
    middle = float(np.sqrt(low * high))
    power = 10.0 ** np.floor(np.log10(middle))
    rounds = [digit * power for digit in (1.0, 2.0, 5.0, 10.0) if low < digit * power <= high]
    return min(rounds, key=lambda number: abs(np.log(number / middle)), default=float(high))


def _of_part(
    table: Table, scope: str, part: str, disagreement: Disagreement, random: np.random.Generator
) -> Iterator[dict[str, object]]:
    for choice in compared(table):
        rows = choice.made
        if int((rows & table.measured).sum()) < RUNS_AT_LEAST:
            continue
        yield from _of_choice(table.of(rows), choice.of(rows), scope, part, disagreement, random)


def _of_choice(
    table: Table, choice: Choice, scope: str, part: str, disagreement: Disagreement, random: np.random.Generator
) -> Iterator[dict[str, object]]:
    counts = np.bincount(choice.codes[table.measured].astype(int), minlength=len(choice.levels))
    levels = np.flatnonzero(counts >= RUNS_A_LEVEL)
    if len(levels) < 2:
        return
    kept = np.isin(choice.codes, levels)
    table, places = table.of(kept), np.searchsorted(levels, choice.of(kept).codes)
    effects, on_dataset = _effects(table, choice, places, len(levels), disagreement, random)
    for first, second in _pairs(levels, counts, choice):
        names = {"choice": choice.name, "level": choice.levels[levels[first]], "other": choice.levels[levels[second]]}
        runs = {"runs": int(counts[levels[first]]), "other_runs": int(counts[levels[second]])}
        yield _row(names, scope, part, effects[:, first] - effects[:, second], runs)
        if scope != "overall":
            continue
        for dataset, own in on_dataset.items():
            here = table.measured & (table.compared_datasets == dataset)
            runs = {"runs": int((here & (places == first)).sum()), "other_runs": int((here & (places == second)).sum())}
            if min(runs.values()) >= RUNS_A_LEVEL:
                yield _row(names, "dataset", dataset, own[:, first] - own[:, second], runs)


def _effects(
    table: Table,
    choice: Choice,
    places: NDArray[np.int64],
    count: int,
    disagreement: Disagreement,
    random: np.random.Generator,
) -> tuple[Array, dict[str, Array]]:
    """Draws of the levels' effects, shape [draws, levels]: overall, and for each dataset."""
    levels = np.eye(count)[places]
    own = levels[:, 1:]
    others = [
        Batch(other.name, basis_of(other))
        for other in table.choices
        if not _is_part(other, choice) and other.codes[other.made].size and np.ptp(other.codes[other.made]) > 0
    ]
    of_dataset, datasets = pd.factorize(table.compared_datasets, sort=True)
    slopes = []
    if len(datasets) > 1:
        products = (np.eye(len(datasets))[of_dataset][:, :, None] * levels[:, None, :]).reshape(len(table), -1)
        slopes = [Batch(SLOPES, products, scale=disagreement(choice.name))]
    batches = [*context_of(table), *_own_of_pipelines(table, random), Batch(OWN, own, flat=True), *others, *slopes]
    posterior = fit(table.completed, batches, random, strata=table.strata, draws=DRAWS, warm_up=WARM_UP)
    effects = np.concatenate([np.zeros((DRAWS, 1)), posterior.of(OWN)], axis=1)
    if not slopes:
        return effects, {}
    differing = posterior.of(SLOPES).reshape(DRAWS, len(datasets), count)
    return effects, {str(name): effects + differing[:, place] for place, name in enumerate(datasets)}


def _own_of_pipelines(table: Table, random: np.random.Generator) -> list[Batch]:
    if not are_repeated(table):
        return []
    single = single_columns([_of_levels_there(other) for other in table.choices], random)
    return repeated(table, list(single.choices.values()), single.possible)


def _of_levels_there(choice: Choice) -> Choice:
    """The same choice between the levels that some runs have."""
    if not choice.levels:
        return choice
    there, codes = np.unique(choice.codes[choice.made], return_inverse=True)
    every = choice.codes.copy()
    every[choice.made] = codes
    return replace(choice, levels=tuple(choice.levels[int(level)] for level in there), codes=every)


def _is_part(other: Choice, choice: Choice) -> bool:
    """Whether a choice is the compared one, or what the compared one sums up, or is only there where that is."""
    if other.name == choice.name or (choice.name == ANY_STEP and other.group == AUGMENTATION):
        return True
    return choice.name == ANY_LOSS and other.name.startswith(f"{INTERMEDIATE}.")


def _pairs(levels: NDArray[np.int64], counts: NDArray[np.int64], choice: Choice) -> list[tuple[int, int]]:
    """All pairs of few levels; of many each against none, or against the one with most runs."""
    if len(levels) <= PAIRS_UP_TO:
        return list(combinations(range(len(levels)), 2))
    names = [choice.levels[level] for level in levels]
    against = names.index(NONE) if NONE in names else int(np.argmax(counts[levels]))
    return [(place, against) for place in range(len(levels)) if place != against]


def _row(names: dict[str, str], scope: str, part: str, draws: Array, runs: dict[str, int]) -> dict[str, object]:
    """A contrast, turned so that it is not negative."""
    if draws.mean() < 0:
        names = names | {"level": names["other"], "other": names["level"]}
        draws, runs = -draws, {"runs": runs["other_runs"], "other_runs": runs["runs"]}
    low, high = interval(draws)
    found = {"difference": float(draws.mean()), "low": low, "high": high, "p": _tails(draws)}
    return {**names, "scope": scope, "part": part, **found, **runs}


def _tails(draws: Array) -> float:
    """How much of the posterior lies beyond zero, twice; by a t distribution with the draws' heaviness of tails."""
    heavy = float(kurtosis(draws))
    degrees = min(4 + 6 / max(heavy, 1e-3), 1000.0)
    spread = float(draws.std()) * np.sqrt((degrees - 2) / degrees)
    return float(2 * student_t.sf(abs(draws.mean()) / max(spread, 1e-300), degrees))


def _holm(p: pd.Series) -> pd.Series:
    """Corrected so that the chance of any false finding in the family stays below the level."""
    order = np.argsort(p.to_numpy(), kind="stable")
    stepped = np.maximum.accumulate(p.to_numpy()[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return pd.Series(corrected, index=p.index)


def _in_thirds(choice: Choice) -> Choice:
    """A number as three levels."""
    if choice.levels:
        return choice
    thirds = np.where(choice.made, np.clip(np.floor(choice.codes * 3), 0, 2), np.nan)
    edges = [choice.text(1 / 3), choice.text(2 / 3)]
    return replace(choice, levels=(f"below {edges[0]}", f"{edges[0]} to {edges[1]}", f"above {edges[1]}"), codes=thirds)
