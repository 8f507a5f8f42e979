"""How good a recommender is on a dataset that it has not seen: each dataset is left out in turn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from scipy.stats import t as student_t

from distiller.recommend.inputs import Inputs
from distiller.recommend.known import Known
from distiller.recommend.learners import LEARNERS, MIXTURES, POWER, learn, standing

Array = NDArray[np.float64]
TOP = 5
FOLDS_AT_MOST = 5
BEYOND_DOUBT = 0.95


@dataclass(frozen=True)
class LeftOut:
    """What was foretold of known runs by learners that saw no run on their dataset.

    Attributes:
        scores: By learner, shape [runs].
        gain: By mixture and dataset: see `gain`.
        correlation: By mixture and dataset: Spearman's, of what was foretold with what came.
    """

    scores: dict[str, Array]
    gain: pd.DataFrame
    correlation: pd.DataFrame

    @property
    def chosen(self) -> str:
        """The mixture to use: the first, unless another gains more beyond doubt over datasets."""
        first, *others = self.gain.columns
        better = {name: _t(self.gain[name] - self.gain[first]) for name in others}
        best = max(better, key=better.__getitem__, default=first)
        doubt = float(student_t.ppf(BEYOND_DOUBT, max(len(self.gain) - 1, 1)))
        return str(best) if better and better[best] > doubt else str(first)


def gain(outcome: Array, foretold: Array) -> float:
    """How far the mean of the five runs that were foretold highest lies from the mean of all (0) to the best (1)."""
    top = np.argsort(-foretold, kind="stable")[:TOP]
    reach = float(outcome.max() - outcome.mean())
    return float((outcome[top].mean() - outcome.mean()) / reach) if reach > 0 else 0.0


def leave_out(known: Known, seed: int) -> LeftOut:
    """Foretell all known runs by those on other datasets; of very many datasets several are left out at once.

    Where there is one dataset, pipelines are left out in place of it.
    """
    names = known.names
    fold = {name: place % FOLDS_AT_MOST for place, name in enumerate(np.random.default_rng(seed).permutation(names))}
    of_run = np.array([fold[name] for name in known.dataset])
    foretold = {name: np.full(len(known), np.nan) for name in LEARNERS}
    if len(names) == 1:  # pipelines in place of datasets
        of_run = known.pipelines % FOLDS_AT_MOST
    for number in np.unique(of_run):
        held = of_run == number
        rest = known.of(~held).thinned(np.random.default_rng(seed))
        inputs = Inputs.learn(rest.frame, rest.dataset)
        target = standing(rest.outcome, rest.dataset) ** POWER
        learned = learn([*LEARNERS], inputs.matrix(rest.frame), target, seed)
        for name, each in learned.scores(inputs.matrix(known.of(held).frame)).items():
            foretold[name][held] = each
    return LeftOut(foretold, *(_by_dataset(known, foretold, judge) for judge in (gain, _spearman)))


def _by_dataset(known: Known, foretold: dict[str, Array], judge: Callable[[Array, Array], float]) -> pd.DataFrame:
    rows = {}
    for name in known.names:
        here = known.dataset == name
        mixed = {
            mixture: np.mean([foretold[part][here] for part in parts], axis=0) for mixture, parts in MIXTURES.items()
        }
        rows[name] = {mixture: judge(known.outcome[here], each) for mixture, each in mixed.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _spearman(outcome: Array, foretold: Array) -> float:
    if np.ptp(foretold) == 0:
        return 0.0
    return float(spearmanr(outcome, foretold)[0])


def _t(differences: pd.Series) -> float:
    error = float(differences.std()) / np.sqrt(len(differences)) if len(differences) > 1 else np.inf
    return float(differences.mean()) / error if error > 0 else 0.0
