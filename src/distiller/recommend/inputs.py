"""What a recommender sees of a run: its choices, its student and teacher, and its dataset, as numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.analysis.choices import (
    NUMBERS_FROM,
    PREFIX,
    RUNS_A_LEVEL,
    WITHOUT,
    is_missing,
    is_number,
    is_wide,
    settings,
)
from distiller.analysis.table import N_TRAIN, numbers_of

Array = NDArray[np.float64]
CONTEXT = ("data.", "teacher.", "student.")
NO_INPUTS = (
    "student.size_mb",
    "teacher.size_mb",
    "teacher.outputs.",
    "data.n_augmented",
    "data.class_counts.",
    "data.fingerprint",
    "data.features.version",
    "data.features.n_train",
)
"""What a record has of a run's context that is not known before it, or says nothing."""
NAMES = ("pipeline.task", "teacher.model", "teacher.architecture", "student.model", "student.initialisation")
"""What is told by name, beside choices."""
DATASETS_A_COMPONENT, COMPONENTS_AT_MOST = 4, 4


@dataclass(frozen=True)
class Number:
    """A column of numbers, brought to mean 0 and deviation 1; by orders of magnitude where it spans many."""

    wide: bool
    mean: float
    spread: float

    @classmethod
    def of(cls, values: Array) -> "Number":
        """Learned from what is known of a column."""
        known = values[~np.isnan(values)]
        if not len(known):
            return cls(wide=False, mean=0.0, spread=1.0)
        wide = is_wide(float(known.min()), float(known.max()))
        scaled = np.log(known) if wide else known
        return cls(wide, float(scaled.mean()), float(scaled.std()) or 1.0)

    def column(self, values: Array) -> Array:
        """In these terms; what is not known is as the mean."""
        scaled = np.log(np.where(values > 0, values, np.nan)) if self.wide else values
        return np.nan_to_num((scaled - self.mean) / self.spread)


@dataclass(frozen=True)
class Components:
    """The directions in which known datasets differ most, far fewer than datasets, whatever is measured of each."""

    numbers: dict[str, Number]
    directions: Array

    def columns(self, numbers: Mapping[str, Array], runs: int) -> Array:
        """Shape [runs, components], of deviation 1 over datasets."""
        absent = np.full(runs, np.nan)
        known = [number.column(numbers.get(name, absent)) for name, number in self.numbers.items()]
        return np.stack(known, axis=1) @ self.directions if known else np.zeros((runs, 0))


@dataclass(frozen=True)
class Inputs:
    """How runs become numbers, learned from known ones.

    Attributes:
        levels: By column: what was chosen from, as text. What is none of them has no level.
        numbers: By column.
        components: Of what is known of datasets beside their size.
    """

    levels: dict[str, tuple[str, ...]]
    numbers: dict[str, Number]
    components: Components

    @classmethod
    def learn(cls, frame: pd.DataFrame, dataset: NDArray[np.str_]) -> "Inputs":
        """From a frame of known runs, and of each the name of its dataset."""
        named, numbers = _cells(frame)
        ranges = {name for name in numbers if name in named and len(_different(numbers[name])) >= NUMBERS_FROM}
        named = {name: values for name, values in named.items() if name not in ranges}
        numbers = {name: values for name, values in numbers.items() if name in ranges or is_input(name)}
        levels = {name: found for name, values in named.items() if len(found := _levels(values)) > 1}
        of_datasets = {name: numbers.pop(name) for name in [*numbers] if _is_of_dataset(name)}
        differing = {name: values for name, values in numbers.items() if len(_different(values)) > 1}
        return cls(
            levels,
            {name: Number.of(values) for name, values in differing.items()},
            _components(of_datasets, dataset),
        )

    def matrix(self, frame: pd.DataFrame) -> Array:
        """Shape [runs, columns]."""
        named, numbers = _cells(frame)
        absent, runs = np.full(len(frame), np.nan), len(frame)
        levels = [_indicators(named.get(name), levels, runs) for name, levels in self.levels.items()]
        columns = [number.column(numbers.get(name, absent))[:, None] for name, number in self.numbers.items()]
        return np.concatenate([*levels, *columns, self.components.columns(numbers, runs)], axis=1)


def _cells(frame: pd.DataFrame) -> tuple[dict[str, list[str | None]], dict[str, Array]]:
    """What is told by name and what is a number, by column; choices that are numbers are both."""
    chosen = {f"{PREFIX}{name}": values for name, values in settings(frame).items()}
    named = chosen | {name: frame[name] for name in NAMES if name in frame}
    numbers = {name: numbers_of(frame, name) for name in map(str, frame) if is_input(name)}
    numbers |= {
        name: values.to_numpy(np.float64, na_value=np.nan)
        for name, values in chosen.items()
        if all(map(is_number, values.dropna()))
    }
    return {name: [_text(value) for value in values] for name, values in named.items()}, numbers


def is_input(column: str) -> bool:
    """Whether a column may be a number that says something of a run's context."""
    return column.startswith(CONTEXT) and not column.startswith(NO_INPUTS) and column not in NAMES


def _different(values: Array) -> Array:
    return np.unique(values[~np.isnan(values)])


def _text(value: Any) -> str | None:
    if is_missing(value):
        return None
    return f"{float(value):g}" if is_number(value) else str(value)


def _is_of_dataset(name: str) -> bool:
    return name.startswith("data.") and name != N_TRAIN


def _levels(values: list[str | None]) -> tuple[str, ...]:
    counts = Counter(value for value in values if value is not None)
    return tuple(sorted(level for level, count in counts.items() if count >= RUNS_A_LEVEL))


def _indicators(values: list[str | None] | None, levels: tuple[str, ...], runs: int) -> Array:
    """Shape [runs, levels]; of a table without a kind of step, or mixup, no run has it."""
    cells = np.array([WITHOUT] * runs if values is None else values, object)
    return np.stack([cells == level for level in levels], axis=1).astype(np.float64)


def _components(numbers: dict[str, Array], dataset: NDArray[np.str_]) -> Components:
    """Principal components of the datasets' means, each dataset counting once."""
    first = np.unique(dataset, return_index=True)[1]
    count = min(len(first) // DATASETS_A_COMPONENT, COMPONENTS_AT_MOST)
    differing = {name: values[first] for name, values in numbers.items() if len(_different(values[first])) > 1}
    if not count or not differing:
        return Components({}, np.zeros((0, 0)))
    learned = {name: Number.of(values) for name, values in differing.items()}
    table = np.stack([learned[name].column(values) for name, values in differing.items()], axis=1)
    _, spread, directions = np.linalg.svd(table, full_matrices=False)
    # What is left of columns that say the same is not 0 but rounding, and one part in that of a new dataset is not.
    kept = spread[:count] > max(table.shape) * np.finfo(np.float64).eps * spread[0]
    return Components(learned, directions[:count][kept].T / spread[:count][kept] * np.sqrt(len(first)))
