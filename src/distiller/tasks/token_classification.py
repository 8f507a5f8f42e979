"""One class per word, such as the names of things in a text."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from distiller.labels import LabelKind
from distiller.tasks.tags import entities
from distiller.tasks.task import Predictions, Task, cross_entropies, named_head
from distiller.tasks.tokens import Segmentation
from distiller.words import OUTSIDE, UNLABELLED


class TokenClassification(Task):
    """Texts are words with single spaces between; the logits of a word are those of its first token."""

    name: ClassVar[str] = "token-classification"
    label_kind: ClassVar[LabelKind] = "tags"
    metrics: ClassVar[tuple[str, ...]] = ("f1", "precision", "recall", "accuracy")
    missing_target: ClassVar[float] = UNLABELLED
    target_dtype: ClassVar[torch.dtype] = torch.long
    default_prediction: ClassVar[str] = "kl"
    exclusive_classes: ClassVar[bool] = True
    head_kind: ClassVar[Literal["sequence", "token", "span"]] = "token"
    segmentation: ClassVar[Segmentation | None] = "spaces"

    def head(self, classes: list[str] | None) -> dict[str, Any]:
        return named_head(classes)

    def targets(self, labels: Sequence[Any], classes: list[str] | None) -> list[Any]:
        """One list a text, with a number for each word."""
        index = {name: position for position, name in enumerate(classes or [])}
        return [[index[tag] for tag in tags] for tags in labels]

    def missing(self, text: tuple[str, ...], classes: list[str] | None) -> Any:  # noqa: ARG002
        return [UNLABELLED] * (text[0].count(" ") + 1)

    def costs(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        return cross_entropies(logits, targets, self.missing_target).unsqueeze(-1)

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy over the labelled words: logits [batch, words, classes], targets [batch, words]."""
        labelled = targets != self.missing_target
        if not bool(labelled.any()):
            return logits.nan_to_num().sum() * 0.0
        return functional.cross_entropy(logits[labelled].float(), targets[labelled])

    def guesses(self, predictions: Predictions) -> list[Any]:
        return [*guessed_tags(predictions).tolist()]

    def scores(self, predictions: Predictions) -> dict[str, float]:
        """Entities found with exact bounds and type (F1, precision, recall), and the share of words that are right.

        A word that the model did not read (its text was cut before it) is outside of all entities.
        """
        names, guesses = np.asarray(predictions.classes or []), guessed_tags(predictions)
        right = names[predictions.targets.astype(int)]
        found, there = (
            {
                (text, *entity)
                for text, tags in enumerate(predictions.by_text(side))
                for entity in entities(tags.tolist())
            }
            for side in (guesses, right)
        )
        hits = len(found & there)
        precision, recall = (hits / len(side) if side else 0.0 for side in (found, there))
        return {
            "f1": 2 * precision * recall / (precision + recall) if hits else 0.0,
            "precision": precision,
            "recall": recall,
            "accuracy": float((guesses == right).mean()),
        }


def guessed_tags(predictions: Predictions) -> NDArray[np.str_]:
    """[words of all texts]: the most probable tag of each, and that of no entity where a word was not read."""
    names = np.asarray([*(predictions.classes or []), OUTSIDE])
    unread = np.isnan(predictions.logits).all(axis=1)
    best = np.nan_to_num(predictions.logits, nan=-np.inf).argmax(axis=1)
    return np.asarray(names[np.where(unread, len(names) - 1, best)])
