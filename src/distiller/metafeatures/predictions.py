"""How sure a model is of what it says."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, softmax

from distiller.tasks import Predictions, Task


def of_predictions(predictions: Predictions, task: Task) -> dict[str, float | None]:
    """`confidence`, the mean probability of what is most probable, and `entropy`, the mean entropy, from 0 to 1.

    Means are over texts; over the words that were read; over passages, of which it is where the answer begins; or,
    where a text has several classes, over all of them for all texts, each a yes or no. An entropy is divided by that of
    a guess among as many outcomes. Of numbers there is neither.

    Args:
        predictions: Of a split.
        task: What is predicted.
    """
    if task.label_kind == "numbers":
        return {"confidence": None, "entropy": None}
    logits = _decisions(predictions, task)
    logits = logits[np.isfinite(logits).any(axis=1)]
    outcomes = np.isfinite(logits).sum(axis=1)
    probabilities = softmax(logits, axis=1)
    # Of one outcome alone the entropy is 0, whatever it is divided by.
    entropies = entr(probabilities).sum(axis=1) / np.log(np.maximum(outcomes, 2))
    return {"confidence": float(probabilities.max(axis=1).mean()), "entropy": float(entropies.mean())}


def _decisions(predictions: Predictions, task: Task) -> NDArray[np.float64]:
    """[decisions, outcomes]: logits; minus infinity for an outcome that is none, or was not read."""
    logits = predictions.logits.astype(np.float64)
    if task.label_kind == "answers":
        begins = predictions.by_text(logits[:, 0])
        decisions = np.full((len(begins), max(map(len, begins))), -np.inf)
        for passage, places in enumerate(begins):
            decisions[passage, : len(places)] = places
    elif task.exclusive_classes:
        decisions = logits
    else:
        decisions = np.stack([logits.ravel(), np.zeros(logits.size)], axis=1)
    return np.where(np.isnan(decisions), -np.inf, decisions)
