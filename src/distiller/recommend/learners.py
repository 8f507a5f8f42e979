"""What learns from known runs which pipelines are better; datasets that are left out choose between them.

All learn how a run stands among those on its dataset, never retention itself: datasets differ far more than pipelines
do. What counts is to tell good from better: the target is a power of the rank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
POWER = 4
PENALTIES = np.logspace(-1, 4, 16)
TREES, DEPTH, RATE, PART, LEAF = 150, 2, 0.05, 0.5, 3


def standing(outcome: Array, dataset: NDArray[np.str_]) -> Array:
    """The rank of each run among those on its dataset, above 0 and up to 1; equal ones share theirs."""
    return np.asarray(pd.Series(outcome).groupby(dataset).rank(pct=True), np.float64)


@dataclass(frozen=True)
class Learned:
    """Learners that have learned from the same runs, and how their inputs are scaled."""

    models: dict[str, Any]
    mean: Array
    spread: Array

    def scores(self, asked: Array) -> dict[str, Array]:
        """What each foretells of runs whose inputs are [asked, columns]; shape [asked]."""
        scaled = (asked - self.mean) / self.spread
        return {name: np.asarray(model.predict(scaled), np.float64) for name, model in self.models.items()}


def learn(mixture: Sequence[str], inputs: Array, target: Array, seed: int) -> Learned:
    """Let the learners of a mixture learn.

    Args:
        mixture: Names of learners.
        inputs: Shape [runs, columns].
        target: Shape [runs].
        seed: Of what is drawn by lot.
    """
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (inputs - mean) / spread
    return Learned({name: LEARNERS[name](seed).fit(scaled, target) for name in mixture}, mean, spread)


def _linear(_: int) -> Any:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(PENALTIES)


def _boosted(seed: int) -> Any:
    """Trees of two questions each: what two choices do together, and no more."""
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        subsample=PART,
        min_samples_leaf=LEAF,
        random_state=seed,
    )


LEARNERS: dict[str, Callable[[int], Any]] = {"linear": _linear, "boosted trees": _boosted}
MIXTURES: dict[str, tuple[str, ...]] = {"both": tuple(LEARNERS), **{name: (name,) for name in LEARNERS}}
"""The first is taken unless another is better beyond doubt."""
