"""From scores to retention, with intervals that hold on datasets that were left out (split conformal, by dataset)."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.recommend.known import Known

Array = NDArray[np.float64]
LEVEL = 0.8
SLOPE = 1e-3
"""So much a standard deviation of scores adds wherever nothing else tells runs apart: higher scores stay higher."""
TINY = 1e-9
GROUPS = 10


@dataclass(frozen=True)
class Calibration:
    """What scores mean.

    Attributes:
        knots: Scores, rising, and how many deviations from the middle of a dataset runs of that score are.
        middle: Of each known dataset the median retention.
        spread: Of each known dataset the standard deviation of retention.
        abroad: Ends of what is left over on a dataset that is not known, in retention.
        at_home: The same on a known dataset, in deviations of it.
        scale: The standard deviation of scores.
        notes: What is not as sure as it looks.
    """

    knots: tuple[Array, Array]
    middle: pd.Series
    spread: pd.Series
    abroad: tuple[float, float]
    at_home: tuple[float, float]
    scale: float
    notes: list[str] = field(default_factory=list)

    def retention(self, score: Array, dataset: NDArray[np.str_], index: pd.Index) -> pd.DataFrame:
        """Per run `expected`, `low` and `high`; `dataset` has the names of their data."""
        apart = _apart(score, self.knots, self.scale)
        known = np.isin(dataset, self.middle.index.to_numpy(str))
        middle = pd.Series(dataset).map(self.middle).fillna(float(self.middle.mean())).to_numpy(float)
        spread = pd.Series(dataset).map(self.spread).fillna(_typical(self.spread)).to_numpy(float)
        expected = middle + spread * apart
        low, high = (expected + np.where(known, spread * self.at_home[end], self.abroad[end]) for end in (0, 1))
        return pd.DataFrame({"expected": expected, "low": low, "high": high}, index=index)


def calibrate(known: Known, score: Array) -> Calibration:
    """Learn what scores mean from those of known runs, each given by learners that did not see its dataset."""
    groups = pd.Series(known.outcome).groupby(known.dataset)
    middle, spread = groups.median(), groups.std()
    of_run = pd.Series(known.dataset)
    weight = 1 / of_run.map(of_run.value_counts()).to_numpy(float)
    apart = (known.outcome - of_run.map(middle).to_numpy(float)) / of_run.map(spread).to_numpy(float)
    knots = _rising(score, apart, weight)
    scale = max(float(score.std()), TINY)
    foretold = _apart(score, knots, scale)
    at_home = _ends(apart - foretold, weight)
    if len(middle) == 1:
        lonely = "All known runs are on one dataset: how others differ is not known, and intervals are of that one."
        typical = float(spread.iloc[0])
        return Calibration(
            knots, middle, spread, (typical * at_home[0], typical * at_home[1]), at_home, scale, [lonely]
        )
    others = {name: (middle.drop(name).mean(), _typical(spread.drop(name))) for name in middle.index}
    expected = np.array([others[name][0] + others[name][1] * each for name, each in zip(of_run, foretold, strict=True)])
    return Calibration(knots, middle, spread, _ends(known.outcome - expected, weight), at_home, scale)


def _apart(score: Array, knots: tuple[Array, Array], scale: float) -> Array:
    """How many deviations from the middle of its dataset a run of that score is expected to be."""
    return np.asarray(np.interp(score, *knots) + SLOPE * (score - knots[0].mean()) / scale)


def _rising(score: Array, apart: Array, weight: Array) -> tuple[Array, Array]:
    """Means of runs whose scores are alike, made to rise with the score: where they lie, and what they are."""
    from sklearn.isotonic import isotonic_regression

    groups = np.array_split(np.argsort(score, kind="stable"), min(GROUPS, len(score)))
    places, means = (np.array([np.average(of[some], weights=weight[some]) for some in groups]) for of in (score, apart))
    places, first = np.unique(places, return_index=True)
    return places, np.asarray(isotonic_regression(means[first]), np.float64)


def _typical(spread: pd.Series) -> float:
    return float(np.exp(np.log(np.maximum(spread, TINY)).mean()))


def _ends(left: Array, weight: Array) -> tuple[float, float]:
    """Quantiles between which so much of what is left over lies, each dataset counting once.

    They are farther out than of the known ones alone, as if there were half a dataset more: of the next one little is
    known while these are few, and runs of each lie apart besides (`tests/recommend/test_calibration.py`).
    """
    datasets = float(weight.sum())
    order = np.argsort(left)
    share = (np.cumsum(weight[order]) - weight[order] / 2) / datasets
    half = min(LEVEL / 2 * (datasets + 0.5) / datasets, 0.5)
    low, high = np.interp([0.5 - half, 0.5 + half], share, left[order])
    return float(low), float(high)
