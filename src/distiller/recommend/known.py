"""Known runs, as a recommender learns from them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller import metafeatures
from distiller.analysis.table import DATASET, OUTCOME, numbers_of, prepare
from distiller.errors import UserError

Array = NDArray[np.float64]
RUNS_AT_LEAST = 4
RUNS_AT_MOST = 1000
FEATURES, FEATURES_VERSION = "data.features.", "data.features.version"


@dataclass(frozen=True)
class Known:
    """Runs that finished, on datasets with several.

    Attributes:
        frame: Their records.
        outcome: Shape [runs]: retention.
        dataset: Shape [runs]: the name of the data.
        pipelines: Shape [runs]: the same number for runs of the same pipeline.
        notes: What is left out, in sentences.
    """

    frame: pd.DataFrame
    outcome: Array
    dataset: NDArray[np.str_]
    pipelines: NDArray[np.int64]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def names(self) -> list[str]:
        """Of the datasets."""
        return [str(name) for name in np.unique(self.dataset)]

    def of(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Known":
        """Some of the runs."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Known(
            self.frame.iloc[places].reset_index(drop=True),
            self.outcome[places],
            self.dataset[places],
            self.pipelines[places],
            self.notes,
        )

    def thinned(self, random: np.random.Generator) -> "Known":
        """So few that learning takes seconds; of large datasets fewer, so that small ones stay whole."""
        if len(self) <= RUNS_AT_MOST:
            return self
        order = random.permutation(len(self))
        place = pd.Series(self.dataset[order]).groupby(self.dataset[order]).cumcount().to_numpy()
        return self.of(np.sort(order[np.argsort(place, kind="stable")[:RUNS_AT_MOST]]))


def known_runs(frame: pd.DataFrame) -> Known:
    """Of a frame of run records those that finished and that others on the same data can be compared with.

    Raises:
        UserError: If there is no retention, or no dataset has runs enough.
    """
    table = prepare(_with_names(frame))
    measured = table.of(table.measured)
    counts = pd.Series(measured.dataset).map(pd.Series(measured.dataset).value_counts())
    enough = (counts >= RUNS_AT_LEAST).to_numpy(bool)
    differ = pd.Series(measured.outcome).groupby(measured.dataset).transform(np.ptp).to_numpy() > 0
    if not (enough & differ).any():
        raise UserError(
            OUTCOME,
            f"no dataset has {RUNS_AT_LEAST} finished runs of different retention, so that there is nothing to learn;"
            " add runs",
        )
    kept = enough & differ
    notes = [*table.notes]
    if not kept.all():
        notes.append(
            f"{int((~kept).sum())} runs on datasets with fewer than {RUNS_AT_LEAST}, or all alike, are left out."
        )
    rows = measured.of(kept)
    return Known(
        _comparable(rows.frame.reset_index(drop=True), notes),
        rows.outcome,
        rows.dataset.astype(str),
        rows.pipelines,
        notes,
    )


def _comparable(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Without the features of datasets that another version of this program found out: they mean something else."""
    if FEATURES_VERSION not in frame:
        return frame
    version = numbers_of(frame, FEATURES_VERSION)
    other = ~np.isnan(version) & (version != metafeatures.VERSION)
    if not other.any():
        return frame
    notes.append(
        f"Of {int(other.sum())} runs the features of their data are of another version than {metafeatures.VERSION},"
        " and not looked at."
    )
    columns = [name for name in map(str, frame) if name.startswith(FEATURES)]
    return frame.assign(**{name: frame[name].astype(object).where(~other, None) for name in columns})


def _with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """With a name of the data; where there is none, runs of which the same is said of their data are on the same."""
    if any(name in frame for name in DATASET):
        return frame
    said = frame[[name for name in frame if str(name).startswith("data.")]]
    if not said.shape[1]:
        raise UserError(DATASET[0], "no such column in the table of runs, nor data.source: on which data was each run?")
    names = pd.factorize(said.astype(str).agg("\0".join, axis=1))[0]
    return frame.assign(**{DATASET[0]: [f"data {number + 1}" for number in names]})
