"""The surrogate of a table: what retention depends on, fitted, and how well it foretells runs that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import helmert
from scipy.stats import chi2

from distiller.analysis.choices import numbered
from distiller.analysis.design import COLUMNS_AT_MOST, Columns, beyond, columns_of
from distiller.analysis.hierarchical import Array, Batch, Posterior, fit
from distiller.analysis.table import Table

DATASET, TEACHER, BOTH, PIPELINE = "dataset", "teacher", "dataset and teacher", "pipeline"
SINGLE, PAIRS, ON_DATASET = "single choices", "pairs of choices", "choices on datasets"
PIPELINES_AT_MOST = 400
FOLDS, FOLD_DRAWS, FOLD_WARM_UP = 5, 150, 150
DRAWS, WARM_UP = 600, 200
UNLIKELY = 0.1
LEAST = 1e-300
QUARTERS, SETTLED, NEXT_TO_NOTHING = 4, 1.2, 0.05
TOLD = 0.5
"""What two choices do together is modelled if runs tell this share of it, by degrees of freedom, from each alone."""


@dataclass(frozen=True)
class Source:
    """What a batch of the design stands for: one choice, two, or one and the dataset."""

    choices: tuple[str, ...]
    on_dataset: bool = False

    @property
    def name(self) -> str:
        """As it is shown."""
        return " × ".join([*self.choices, *(["dataset"] if self.on_dataset else [])])


@dataclass(frozen=True)
class Surrogate:
    """A fitted model of retention.

    Attributes:
        batches: Its design; those with a source make the response, the others are where runs were measured.
        sources: What batches stand for, by name.
        posterior: Draws of the coefficients.
        left_out: How many pairs of choices are not modelled since there were too many.
        untold: Those that are not modelled since runs do not tell them from what each of the two does alone: levels
            were not combined. As in fractional designs, what is seen is then put down to the choices alone.
        contrasts: Of each dataset, shape [datasets - 1]: what the columns of a choice on datasets are multiplied by.
    """

    batches: list[Batch]
    sources: dict[str, Source]
    posterior: Posterior
    left_out: int
    untold: dict[str, Source]
    contrasts: dict[str, Array]

    def columns(self, name: str, rows: NDArray[np.int64], dataset: str) -> Array:
        """The columns of a source for the pipelines of some runs, as if they had been on a dataset."""
        source = self.sources[name]
        if not source.on_dataset:
            return self._columns[name][rows]
        return _on_dataset(np.tile(self.contrasts[dataset], (len(rows), 1)), self._columns[source.choices[0]][rows])

    @cached_property
    def _columns(self) -> dict[str, Array]:
        return {batch.name: batch.columns for batch in self.batches}

    def disagreement(self, choice: str) -> float | None:
        """How far datasets may differ in what a choice does, as a standard deviation; None if nothing is known of it.

        It is what all choices have in common, or of this one as much as these few datasets do not rule out of all that
        there could be, whichever is more. Of a choice that was made on one dataset alone nothing is known.
        """
        if any(source.on_dataset and source.choices[0] == choice for source in self.untold.values()):
            return None
        variances = {
            source.choices[0]: self.variance(name) for name, source in self.sources.items() if source.on_dataset
        }
        if not variances:
            return None
        common = float(np.mean([each.mean() for each in variances.values()]))
        degrees = len(self.contrasts) - 1
        largest = degrees / float(chi2.ppf(UNLIKELY, degrees))
        own = float(np.median(variances[choice])) * largest if choice in variances else 0.0
        return float(np.sqrt(max(common, own)))

    def completed(self, table: Table) -> Table:
        """The table with outcomes drawn for runs that were pruned."""
        return table if table.measured.all() else replace(table, completed=self.posterior.outcomes)

    def variance(self, name: str) -> Array:
        """The variance of the response that a source makes, shape [draws]."""
        return np.asarray((self.posterior.of(name) ** 2).sum(axis=1))

    def unsettled(self) -> list[str]:
        """Sources whose share differs between quarters of the draws: R̂ (Gelman and Rubin 1992) above what is taken for
        settled. A source that is next to nothing does not count."""
        variance = {name: self.variance(name) for name in self.sources}
        total = np.asarray(np.sum(list(variance.values()), axis=0))
        shares = {name: each / total for name, each in variance.items()}
        return [name for name, share in shares.items() if share.mean() > NEXT_TO_NOTHING and _shrinks(share) > SETTLED]

    @property
    def unexplained(self) -> Array:
        """What no source makes of the variance of runs on a dataset, shape [draws]: noise, and pipelines' own."""
        own = (self.posterior.of(PIPELINE) @ self._columns[PIPELINE].T).var(axis=1) if PIPELINE in self._columns else 0
        return np.asarray(self.posterior.noise + own)


def _shrinks(draws: Array) -> float:
    """How much narrower the draws would become with more of them: R̂ of their quarters."""
    quarters = draws[: len(draws) // QUARTERS * QUARTERS].reshape(QUARTERS, -1)
    within = float(quarters.var(axis=1, ddof=1).mean())
    return float(np.sqrt(1 + quarters.mean(axis=1).var(ddof=1) / max(within, LEAST)))


def fit_surrogate(table: Table, random: np.random.Generator) -> Surrogate:
    """Fit the model of a table with a choice or more."""
    columns = columns_of(table.choices, random)
    context, possible = context_of(table), _sources(table, columns)
    sources = {name: each for name, each in possible.items() if _is_told(table, *each, columns.choices)}
    pairs = {name: batch for name, (source, batch) in sources.items() if batch.pool != SINGLE}
    kept = _strongest(table, context, {name: batch for name, (_, batch) in sources.items()}, pairs)
    chosen = {name: each for name, each in sources.items() if name in kept}
    modelled = [batch.columns for source, batch in chosen.values() if not source.on_dataset]
    batches = [
        *context,
        *repeated(table, modelled, columns.possible),
        *(batch for _, batch in chosen.values()),
    ]
    posterior = fit(
        table.outcome, batches, random, limit=table.limit, strata=table.strata, draws=DRAWS, warm_up=WARM_UP
    )
    return Surrogate(
        batches,
        {name: source for name, (source, _) in chosen.items()},
        posterior,
        len(sources) - len(kept) + columns.too_wide,
        {name: source for name, (source, _) in possible.items() if name not in sources},
        dict(zip(sorted(set(table.compared_datasets)), _contrasts(table), strict=True)),
    )


def context_of(table: Table) -> list[Batch]:
    """Where runs were measured: datasets, teachers, and each teacher on each dataset, where there are several."""
    dataset, teacher = (pd.factorize(names, sort=True)[0] for names in (table.dataset, table.teacher))
    codes = {DATASET: dataset, TEACHER: teacher, BOTH: numbered([dataset, teacher])}
    parts = {name: _indicators(each) for name, each in codes.items()}
    several = {name: columns for name, columns in parts.items() if columns.shape[1] > 1}
    if BOTH in several and several[BOTH].shape[1] in {
        several.get(part, several[BOTH][:, :0]).shape[1] for part in (DATASET, TEACHER)
    }:
        del several[BOTH]
    return [Batch(name, columns) for name, columns in several.items()]


def are_repeated(table: Table) -> bool:
    """Whether some pipelines were run more than once, and there are not too many of them to tell them apart."""
    return 1 < int(table.pipelines.max()) + 1 <= min(PIPELINES_AT_MOST, len(table) - 1)


def repeated(table: Table, columns: Sequence[Array], possible: int) -> list[Batch]:
    """What each pipeline is beyond what its columns say of it, where pipelines were run more than once.

    Without it runs of one pipeline, with several seeds or on several datasets, would count as that many independent
    ones. Of very many pipelines it would be too large a design.
    """
    if not are_repeated(table):
        return []
    own = beyond(np.concatenate(columns, axis=1), table.pipelines, possible)
    return [Batch(PIPELINE, own)] if own.shape[1] else []


def _indicators(codes: NDArray[np.intp]) -> Array:
    return np.eye(int(codes.max()) + 1)[codes]


def _sources(table: Table, columns: Columns) -> dict[str, tuple[Source, Batch]]:
    """Choices, pairs of them, and each on each dataset."""
    found = [(Source((name,)), each, SINGLE) for name, each in columns.choices.items()]
    found += [(Source(pair), each, PAIRS) for pair, each in columns.pairs.items()]
    between = _between_datasets(table)
    if between.shape[1]:
        of_choices = columns.choices.items()
        found += [
            (Source((name,), on_dataset=True), _on_dataset(between, each), ON_DATASET) for name, each in of_choices
        ]
    return {source.name: (source, Batch(source.name, each, pool)) for source, each, pool in found}


def _is_told(table: Table, source: Source, batch: Batch, choices: Mapping[str, Array]) -> bool:
    """Whether runs tell a pair's columns from those of the two: an eigenvalue below 1 is less than a run's worth."""
    parents = [choices[name] for name in source.choices]
    if source.on_dataset:
        parents.append(_between_datasets(table))
    if len(parents) == 1:
        return True
    alone = np.concatenate([np.ones((len(table), 1)), *parents], axis=1)
    across = alone.T @ batch.columns
    left = batch.columns.T @ batch.columns - across.T @ np.linalg.pinv(alone.T @ alone, hermitian=True) @ across
    return bool(np.mean(np.linalg.eigvalsh(left) >= 1.0) >= TOLD)


def _between_datasets(table: Table) -> Array:
    """The contrasts of each run's dataset, shape [runs, datasets - 1]."""
    return np.asarray(_contrasts(table)[pd.factorize(table.compared_datasets, sort=True)[0]])


def _contrasts(table: Table) -> Array:
    """Of each dataset, by name: mean 0 and variance 1 over datasets, shape [datasets, datasets - 1]."""
    count = len(set(table.compared_datasets))
    return np.asarray(helmert(count).T * np.sqrt(count)) if count > 1 else np.zeros((1, 0))


def _on_dataset(between: Array, columns: Array) -> Array:
    return (between[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)


def _strongest(
    table: Table, context: Sequence[Batch], sources: Mapping[str, Batch], pairs: Mapping[str, Batch]
) -> set[str]:
    """The names of all sources, or of so many that the design stays small: those that explain most of what is left."""
    widths = {name: batch.columns.shape[1] for name, batch in sources.items()}
    if sum(widths.values()) <= COLUMNS_AT_MOST:
        return set(sources)
    known = table.measured
    single = [batch.columns[known] for batch in [*context, *(sources[name] for name in sources if name not in pairs)]]
    design = np.concatenate([np.ones((int(known.sum()), 1)), *single], axis=1)
    left = table.outcome[known] - design @ np.linalg.lstsq(design, table.outcome[known], rcond=None)[0]
    gain = {name: _explained(batch.columns[known], left) / widths[name] for name, batch in pairs.items()}
    kept, room = set(sources) - set(pairs), COLUMNS_AT_MOST - sum(widths[name] for name in sources if name not in pairs)
    for name in sorted(pairs, key=lambda name: -gain[name]):
        if widths[name] <= room:
            kept.add(name)
            room -= widths[name]
    return kept


def _explained(columns: Array, left: Array) -> float:
    gram = columns.T @ columns
    gram[np.diag_indices(len(gram))] += 1.0
    towards = columns.T @ left
    return float(towards @ np.linalg.solve(gram, towards))


def foretell(table: Table, batches: Sequence[Batch], random: np.random.Generator) -> Array:
    """What each finished run is expected to come to by a model that saw neither it nor others of the same pipeline.

    Shape [runs]; NaN for runs that were pruned.
    """
    pipelines = table.pipelines
    fold = random.permutation(int(pipelines.max()) + 1)[pipelines] % FOLDS
    known = [batch for batch in batches if batch.name != PIPELINE]  # what is foretold is of pipelines not seen
    foretold = np.full(len(table), np.nan)
    for number in range(FOLDS):
        held, seen = (fold == number) & table.measured, fold != number
        if not held.any() or int((table.measured & seen).sum()) < 2:
            continue
        part = [Batch(batch.name, batch.columns[seen], batch.pool, batch.flat) for batch in known]
        posterior = fit(
            table.outcome[seen],
            part,
            random,
            limit=table.limit[seen],
            strata=table.strata[seen],
            draws=FOLD_DRAWS,
            warm_up=FOLD_WARM_UP,
        )
        design = np.concatenate([np.ones((int(held.sum()), 1)), *(batch.columns[held] for batch in known)], axis=1)
        foretold[held] = design @ posterior.coefficients.mean(axis=0)
    return foretold
