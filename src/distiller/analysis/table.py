"""Run records as an analysis needs them: outcomes, where they were measured, and what is left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.analysis.choices import Choice, find_choices, numbered
from distiller.errors import UserError

Array = NDArray[np.float64]
DATASET, TEACHER, OUTCOME = ("data.name", "data.source"), "teacher.model", "retention"
N_TRAIN, STUDENT_SIZE = "data.n_train", ("student.parameters", "student.layers")
ONLY = "all"
LARGEST = 1000.0
"""A retention beyond this, either way, is a fault of measurement and none at all."""
PER_CENT = 5.0
"""Retention whose median is above this is given in per cent."""
STRATA_AT_MOST, RUNS_A_STRATUM = 20, 15
PIPELINES_AT_LEAST = 20
DATASETS_AT_MOST, OTHERS = 30, "all others"


@dataclass(frozen=True)
class Table:
    """Runs that say something of retention.

    Attributes:
        frame: Their records, one row a run.
        outcome: Shape [runs]: retention; NaN for runs that were pruned.
        limit: Shape [runs]: what a pruned run would not have exceeded; NaN for runs that finished.
        dataset: Shape [runs]: the name of the data.
        teacher: Shape [runs].
        choices: What differed between pipelines.
        counts: How many runs of each status there were, and how many are used.
        completed: Shape [imputations, runs]: outcomes again, with what pruned runs may have come to once that is drawn.
        notes: Which runs were left out, or what was assumed of them, in sentences.
        notes_of_choices: Which choices were joined or left out.
    """

    frame: pd.DataFrame
    outcome: Array
    limit: Array
    dataset: NDArray[Any]
    teacher: NDArray[Any]
    choices: list[Choice]
    counts: dict[str, int]
    completed: Array
    notes: list[str] = field(default_factory=list)
    notes_of_choices: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.outcome)

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Shape [runs]: those that finished."""
        return ~np.isnan(self.outcome)

    @cached_property
    def pipelines(self) -> NDArray[np.int64]:
        """Shape [runs]: the same number for runs of the same pipeline."""
        return numbered([choice.codes for choice in self.choices] or [np.zeros(len(self))])

    @property
    def units(self) -> NDArray[np.int64]:
        """Shape [runs]: what is drawn by lot as one: a pipeline, or each run where pipelines are too few for that."""
        pipelines = self.pipelines
        return pipelines if int(pipelines.max()) + 1 >= PIPELINES_AT_LEAST else np.arange(len(self))

    @cached_property
    def compared_datasets(self) -> NDArray[Any]:
        """Shape [runs]: the name of the data; of very many datasets those with fewest runs share one."""
        codes, names = pd.factorize(self.dataset, sort=True)
        counts = np.bincount(codes)
        if len(names) > DATASETS_AT_MOST:
            names[np.argsort(-counts, kind="stable")[DATASETS_AT_MOST - 1 :]] = OTHERS
        return np.asarray(names[codes])

    @cached_property
    def strata(self) -> NDArray[np.int64]:
        """Shape [runs]: the number of the dataset; all that have few runs share one."""
        codes, names = pd.factorize(self.dataset, sort=True)
        counts = np.bincount(codes)
        large = [
            place for place in np.argsort(-counts, kind="stable")[:STRATA_AT_MOST] if counts[place] >= RUNS_A_STRATUM
        ]
        of_name = np.full(len(names), len(large))
        of_name[large] = range(len(large))
        return np.asarray(np.unique(of_name[codes], return_inverse=True)[1])

    def of(self, rows: NDArray[Any]) -> "Table":
        """Some of the runs."""
        return Table(
            self.frame.iloc[np.flatnonzero(rows) if rows.dtype == bool else rows],
            self.outcome[rows],
            self.limit[rows],
            self.dataset[rows],
            self.teacher[rows],
            [choice.of(rows) for choice in self.choices],
            self.counts,
            self.completed[:, rows],
            self.notes,
            self.notes_of_choices,
        )


def prepare(frame: pd.DataFrame) -> Table:
    """The table of a frame of run records, with dotted columns.

    A run that failed or was stopped says nothing; one that was pruned says that it would not have been above the middle
    of those that finished on the same data with the same teacher. A record that is there twice counts once.

    Raises:
        UserError: If there is no column `retention`, it holds no numbers, or two columns have one name.
    """
    _check(frame)
    notes: list[str] = []
    runs = _once(frame, notes)
    status = _first(runs, ("status",), "finished").map(lambda said: said.strip().lower())
    retention = _numbers(runs[OUTCOME]).where(status == "finished")
    if retention.median() > PER_CENT:
        retention /= 100
        notes.append("Retention is taken for per cent, its median being above that of any student, and divided by 100.")
    dataset, teacher = _first(runs, DATASET, ONLY), _first(runs, (TEACHER,), ONLY)
    middle = retention.groupby([dataset, teacher]).transform("median")
    limit = middle.where(status == "pruned")
    used = retention.notna() | limit.notna()
    counts = {str(kind): int(number) for kind, number in status.value_counts().items()}
    counts |= {"runs": len(runs), "used": int(used.sum())}
    _say_what_is_left(status, retention, limit, notes)
    kept = runs[used].reset_index(drop=True)
    choices, said = find_choices(kept)
    count = dataset[used].nunique()
    if count > DATASETS_AT_MOST:
        notes.append(
            f"Of {count} datasets the {DATASETS_AT_MOST - 1} with most runs are told apart; the others are taken"
            f" together as {OTHERS!r}."
        )
    return Table(
        kept,
        retention[used].to_numpy(float),
        limit[used].to_numpy(float),
        _short(dataset[used]).to_numpy(object),
        teacher[used].to_numpy(object),
        choices,
        counts,
        retention[used].to_numpy(float)[None],
        notes,
        said,
    )


def numbers_of(frame: pd.DataFrame, column: str) -> Array:
    """Shape [runs]: a column as numbers; NaN where there is none, or no such column."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def names_of_data(frame: pd.DataFrame) -> NDArray[np.str_]:
    """Of each run the name of its data, as a table of runs has it."""
    return _short(_first(frame, DATASET, ONLY)).to_numpy(str)


def _check(frame: pd.DataFrame) -> None:
    twice = [str(name) for name in frame.columns[frame.columns.duplicated()]]
    if twice:
        raise UserError(twice[0], "is the name of two columns of the table of runs; rename or drop one")
    if OUTCOME not in frame:
        raise UserError(
            OUTCOME, "no such column in the table of runs; load run records, or map the table's own column to it"
        )
    if frame[OUTCOME].map(lambda value: isinstance(value, bool | np.bool_)).any():
        raise UserError(OUTCOME, "is true or false in the table of runs; give the student's score over its teacher's")


def _first(runs: pd.DataFrame, names: Sequence[str], otherwise: str) -> pd.Series:
    """In each row the first of some columns that says something, as text."""
    columns = [runs[name] for name in names if name in runs]
    rows = zip(*columns, strict=True) if columns else [()] * len(runs)
    said = [next((str(value) for value in row if not pd.isna(value)), otherwise) for row in rows]
    return pd.Series(said, index=runs.index, dtype=object)


def _once(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    if "id" not in frame:
        return frame.reset_index(drop=True)
    again = frame["id"].notna() & frame.astype(str).duplicated()
    if again.any():
        notes.append(f"{int(again.sum())} records were there more than once and count once.")
    return frame[~again].reset_index(drop=True)


def _numbers(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers.where(numbers.abs() <= LARGEST)


def _say_what_is_left(status: pd.Series, retention: pd.Series, limit: pd.Series, notes: list[str]) -> None:
    unknown = int(((status == "finished") & retention.isna()).sum())
    ended = int((~status.isin(["finished", "pruned"])).sum())
    pruned, alone = int(limit.notna().sum()), int(((status == "pruned") & limit.isna()).sum())
    said = {
        f"Of {unknown} finished runs there is no retention: they are left out.": unknown,
        f"{ended} runs failed or were stopped and are left out.": ended,
        f"{pruned} runs were pruned: of each it is only taken for known that it would not have ended above the median"
        " of the finished runs on its data with its teacher.": pruned,
        f"{alone} pruned runs are left out: nothing finished on their data with their teacher.": alone,
    }
    notes.extend(sentence for sentence, count in said.items() if count)


def _short(names: pd.Series) -> pd.Series:
    """Paths by their last part, where that tells them apart."""
    last = names.map(lambda name: name.rstrip("/").rsplit("/", 1)[-1] or name)
    return last if last.nunique() == names.nunique() else names
