"""What known runs foretell of the points of a space, corrected by what a search has measured of some."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import norm

from distiller.errors import UserError
from distiller.files import write_json
from distiller.search.space import Dimension, Space

Array = NDArray[np.float64]
PRIOR = "prior.json"
LENGTH = 3.0
"""Points that differ in so many choices correlate by exp(-1)."""
WIDTH = 2.0
"""The ends of a range lie so far apart that they correlate as points do that differ in two choices."""
SLOPE = 0.3
"""By so many deviations of what is foretold retention may rise or fall with it beside what is foretold."""
NOISE = 0.05
"""Of two trials of one pipeline, as a share of the variance between pipelines."""
OFFSET = 100.0
"""How far the level of what is foretold may be wrong: the variance of that, in variances between pipelines."""
FORETOLD = 0.4
"""What is foretold is taken to vary by so much of what retention does, before anything is measured."""
CONFIDENCE = 4.0
"""So many trials that counts for, against what is measured."""
SMALLEST = 1e-6
"""A deviation of retention that is none."""


@dataclass(frozen=True)
class Prior:
    """Points of a space that a search may try, and what known runs foretell of them.

    What is foretold is the mean of a Gaussian process over them; what has been measured corrects it. Two points
    correlate by the choices in which they differ, and by how far apart they are foretold to be, so that a prior that is
    wrong is corrected where it says the same. The level of what is foretold is not trusted at all: it is the order of
    pipelines that carries over from one dataset to another. A trial that was pruned counts with what it had come to and
    what those that ended gained from there, as surely as these agree.

    Attributes:
        space: That is searched.
        points: As the sampler has them.
        expected: Shape [points]: retention.
        seconds: Shape [points]: of training, whatever the unit: what is read is how they compare.
    """

    space: Space
    points: list[dict[str, Any]]
    expected: Array
    seconds: Array

    @classmethod
    def read(cls, space: Space, folder: Path) -> Self:
        """As `write` left it.

        Raises:
            UserError: If it is not there, or not whole.
        """
        try:
            content = json.loads((folder / PRIOR).read_text(encoding="utf-8"))
            return cls(space, content["points"], np.array(content["expected"]), np.array(content["seconds"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            mend = "cannot be read, and the search began with it; put it back, or name another --out"
            raise UserError(str(folder / PRIOR), mend) from error

    def write(self, folder: Path) -> None:
        """Leave it in a folder: a search that goes on proposes the same, though more has become known since."""
        content = {"points": self.points, "expected": self.expected.tolist(), "seconds": self.seconds.tolist()}
        write_json(folder / PRIOR, content)

    def next_point(self, trials: Sequence[FrozenTrial]) -> dict[str, Any] | None:
        """The one whose expected improvement is the most for its time (Snoek et al. 2012); None if all were tried."""
        rate = self.improvements(trials) / self.seconds
        best = int(np.argmax(rate))
        return None if rate[best] < 0 else self.points[best]

    def gain_an_hour(self, trials: Sequence[FrozenTrial], spent: Mapping[int, float]) -> float:
        """The most that any point is expected to gain, in retention an hour.

        Infinite while no trial has finished, and where all points have been tried: nothing is foretold of others.

        Args:
            trials: Of the search.
            spent: Seconds of training by number of trial. By these it is known how long an hour is in `seconds`; what
                was pruned early makes the next trial cheaper, too.
        """
        if not any(trial.state == TrialState.COMPLETE for trial in trials) or not sum(spent.values()):
            return float("inf")
        foretold = sum(self.seconds[self._place(trial)] for trial in trials if trial.number in spent)
        hours = self.seconds * sum(spent.values()) / foretold / 3600
        improvements = self.improvements(trials)
        return float("inf") if improvements.max() < 0 else float(np.max(improvements / hours))

    def improvements(self, trials: Sequence[FrozenTrial]) -> Array:
        """Shape [points]: by how much each is expected to surpass the best that has finished; -1 where it was tried.

        Expected improvement (Jones et al. 1998) over the highest mean of those that finished, not over the highest
        measured value, which is partly luck. Trials that still run are taken to come to what is expected of them
        (Ginsbourger et al. 2010, the Kriging believer), so that others look elsewhere.
        """
        seen = _seen(trials)
        places = [self._place(trial) for trial, _, _ in seen]
        values, noise = [value for _, value, _ in seen], [variance for _, _, variance in seen]
        numbers = {trial.number for trial, _, _ in seen}
        pending = [
            self._place(trial)
            for trial in trials
            if trial.state == TrialState.RUNNING and trial.number not in numbers and trial.params
        ]
        believed = self._posterior(places, values, noise)[0][pending].tolist()
        mean, deviation = self._posterior([*places, *pending], [*values, *believed], [*noise, *[0.0] * len(pending)])
        finished = [self._place(trial) for trial in trials if trial.state == TrialState.COMPLETE]
        best = mean[finished].max() if finished else mean.mean()
        found = expected_improvement(mean, deviation, best)
        found[[self._places[_key(trial.params)] for trial in trials if _key(trial.params) in self._places]] = -1.0
        return found

    def _posterior(self, places: list[int], values: list[float], noise: list[float]) -> tuple[Array, Array]:
        """Mean and deviation of each point, given what was measured at some of them, and how surely.

        How far pipelines lie apart is what is measured of that, and what is foretold as if it were of a few trials
        more: the mode of a scaled inverse chi-squared.
        """
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel

        foretold = variance = (float(self.expected.std()) / FORETOLD) ** 2 or SMALLEST**2
        if not places:
            return self.expected, np.full(len(self.points), np.sqrt(variance))
        kernel = RBF() + ConstantKernel(OFFSET)
        left = np.array(values) - self.expected[places]
        inputs = self._inputs[places]
        for _ in range(2):  # of the noise it is the ratio to the variance that counts: once more with the better one
            process = GaussianProcessRegressor(kernel, alpha=NOISE + np.array(noise) / variance, optimizer=None)
            process.fit(inputs, left)
            variance = (CONFIDENCE * foretold + float(left @ process.alpha_)) / (CONFIDENCE + len(places))
        mean, deviation = process.predict(self._inputs, return_std=True)
        return self.expected + mean, np.sqrt(variance) * deviation

    def _place(self, trial: FrozenTrial) -> int:
        """Of the point of a trial, or of that which is nearest to it."""
        exact = self._places.get(_key(trial.params))
        if exact is not None:
            return exact
        apart = self._encoded - _encoded(self.space, [trial.params])
        return int(np.argmin((apart**2).sum(axis=1)))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {_key(point): place for place, point in enumerate(self.points)}

    @cached_property
    def _encoded(self) -> Array:
        return _encoded(self.space, self.points)

    @cached_property
    def _inputs(self) -> Array:
        """Shape [points, columns]: what is chosen, and what is foretold."""
        spread = float(self.expected.std()) or 1.0
        return np.column_stack([self._encoded, SLOPE * self.expected / spread])


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """By how much a normal variable surpasses `best`, where it does: E max(0, y - best) (Jones et al. 1998, eq. 15)."""
    deviation = np.maximum(deviation, SMALLEST)
    apart = (mean - best) / deviation
    return np.asarray(deviation * (apart * norm.cdf(apart) + norm.pdf(apart)))


def _seen(trials: Sequence[FrozenTrial]) -> list[tuple[FrozenTrial, float, float]]:
    """What is known of each trial's retention at its end, and the variance of that, beside the noise of all."""
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    seen = [(trial, float(trial.values[0]), 0.0) for trial in finished]
    for trial in trials:
        if trial.state == TrialState.COMPLETE or not trial.intermediate_values:
            continue
        epochs, value = max(trial.intermediate_values.items())
        gained = [
            other.values[0] - other.intermediate_values[epochs]
            for other in finished
            if epochs in other.intermediate_values
        ]
        if gained and trial.state in (TrialState.PRUNED, TrialState.RUNNING):
            seen.append((trial, value + float(np.mean(gained)), float(np.var(gained))))
    return seen


def _encoded(space: Space, points: Sequence[Mapping[str, Any]]) -> Array:
    """Shape [points, columns]: squared distances are 2 / `LENGTH` for each choice in which two points differ."""
    columns = [column for dimension in space.dimensions for column in _columns(dimension, points)]
    return np.asarray(np.stack(columns, axis=1) / np.sqrt(LENGTH))


def _columns(dimension: Dimension, points: Sequence[Mapping[str, Any]]) -> list[Array]:
    """Of each choice whether it is there; of a range whether, and where in it."""
    drawn = [point.get(dimension.path, ...) for point in points]
    there = np.array([value is not ... for value in drawn], np.float64)
    if dimension.choices:
        distribution: Any = dimension.distribution
        return [np.array([value == choice for value in drawn], np.float64) for choice in distribution.choices]
    return [there, WIDTH * np.array([0.0 if value is ... else dimension.position(value) for value in drawn])]


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)
