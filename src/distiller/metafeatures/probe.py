"""How well a linear model of sentence vectors guesses labels: noisy ones less well than clean ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distiller.data import Examples
from distiller.labels import LabelKind

FOLDS = 5
INVERSE_PENALTY, PENALTY = 0.01, 1000.0
"""Where all features have variance 1."""


def probe_features(
    vectors: NDArray[np.float32] | None, examples: Examples, kind: LabelKind, classes: Sequence[str] | None
) -> dict[str, float | None]:
    """Score, and gain over the best constant guess, in cross-validation; None where there is nothing to guess.

    The same texts are never in two folds. The score is accuracy (of several classes a text, its mean over classes), or
    R² of numbers, whose best constant guess has 0.

    Args:
        vectors: [examples, columns, width], of the first of the examples; None if there are none.
        examples: Labelled.
        kind: Of the labels; there is no probe of words and of answers.
        classes: Of the dataset; None if labels are no names.
    """
    nothing: dict[str, float | None] = {"probe_score": None, "probe_gain": None}
    if vectors is None or kind in ("tags", "answers"):
        return nothing
    folds = _folds(examples.texts[: len(vectors)])
    targets = _targets((examples.labels or [])[: len(vectors)], kind, classes)
    constant = _constant_score(targets, kind)
    if len({*folds}) < FOLDS or constant is None:
        return nothing
    score = _score(targets, _guesses(_inputs(vectors), targets, np.array(folds), kind), kind)
    return {"probe_score": score, "probe_gain": (score - constant) / (1 - constant)}


def _folds(texts: Sequence[tuple[str, ...]]) -> list[int]:
    numbers: dict[tuple[str, ...], int] = {}
    return [numbers.setdefault(text, len(numbers)) % FOLDS for text in texts]


def _inputs(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """[examples, features]: of two texts both, how they differ, and their product (Conneau et al. 2017)."""
    first, last = vectors[:, 0].astype(np.float64), vectors[:, -1].astype(np.float64)
    if vectors.shape[1] == 1:
        return first
    return np.concatenate([first, last, np.abs(first - last), first * last], axis=1)


def _targets(labels: Sequence[Any], kind: LabelKind, classes: Sequence[str] | None) -> NDArray[Any]:
    """[examples]: classes, or numbers from -1 to 1; or [examples, classes]: 1 for each that a text has, else 0."""
    if kind == "classes":
        return np.array(labels)
    if kind == "numbers":
        return np.array(labels) / (max(map(abs, labels)) or 1)
    return np.array([[float(name in of_one) for name in classes or []] for of_one in labels])


def _constant_score(targets: NDArray[Any], kind: LabelKind) -> float | None:
    """Of the best guess that is the same for all texts; None if it is right of all."""
    if kind == "numbers":
        return 0.0 if np.ptp(targets) > 0 else None
    if kind == "classes":
        score = float(np.unique(targets, return_counts=True)[1].max() / len(targets))
    else:
        score = float(np.maximum(targets.mean(axis=0), 1 - targets.mean(axis=0)).mean())
    return score if score < 1 else None


def _score(targets: NDArray[Any], guesses: NDArray[Any], kind: LabelKind) -> float:
    if kind == "numbers":
        return float(1 - ((targets - guesses) ** 2).sum() / ((targets - targets.mean()) ** 2).sum())
    return float((targets == guesses).mean())


def _guesses(
    inputs: NDArray[np.float64], targets: NDArray[Any], folds: NDArray[np.int64], kind: LabelKind
) -> NDArray[Any]:
    """Of each fold, as the others have it."""
    guesses = np.empty_like(targets)
    for fold in range(FOLDS):
        others = folds != fold
        guesses[~others] = _learned(inputs[others], targets[others], inputs[~others], kind)
    return guesses


def _learned(
    known: NDArray[np.float64], targets: NDArray[Any], asked: NDArray[np.float64], kind: LabelKind
) -> NDArray[Any]:
    """Guesses of what is asked."""
    if kind == "classes" and len({*targets.tolist()}) == 1:
        return np.full(len(asked), targets[0])
    learner = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000) if kind == "classes" else Ridge(PENALTY)
    guesses: NDArray[Any] = make_pipeline(StandardScaler(), learner).fit(known, targets).predict(asked)
    return (guesses > 0.5).astype(float) if kind == "sets" else guesses
