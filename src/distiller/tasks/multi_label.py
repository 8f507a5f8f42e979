"""Any number of classes per text, or per pair of texts."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor
from torch.nn import functional

from distiller.labels import LabelKind
from distiller.tasks.task import Predictions, Task, named_head


class MultiLabel(Task):
    """Each class is a yes or no of its own: one logit a class, yes above 0."""

    name: ClassVar[str] = "multi-label-classification"
    label_kind: ClassVar[LabelKind] = "sets"
    metrics: ClassVar[tuple[str, ...]] = ("micro_f1", "macro_f1", "accuracy")
    missing_target: ClassVar[float] = float("nan")
    target_dtype: ClassVar[torch.dtype] = torch.float32
    default_prediction: ClassVar[str] = "bce"
    exclusive_classes: ClassVar[bool] = False

    def head(self, classes: list[str] | None) -> dict[str, Any]:
        return {**named_head(classes), "problem_type": "multi_label_classification"}

    def targets(self, labels: Sequence[Any], classes: list[str] | None) -> list[Any]:
        """One row a text: 1 for each of its classes, else 0."""
        return [[float(name in of_one) for name in classes or []] for of_one in labels]

    def missing(self, text: tuple[str, ...], classes: list[str] | None) -> Any:  # noqa: ARG002
        return [self.missing_target] * len(classes or [])

    def costs(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        """[batch, 1]: mean over classes."""
        probabilities = logits.sigmoid()
        known = probabilities if targets is None else torch.where(targets.isnan(), probabilities, targets)
        return functional.binary_cross_entropy_with_logits(logits, known, reduction="none").mean(dim=-1, keepdim=True)

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        labelled = ~targets.isnan().any(dim=-1)
        if not bool(labelled.any()):
            return logits.sum() * 0.0
        return functional.binary_cross_entropy_with_logits(logits.float()[labelled], targets[labelled])

    def guesses(self, predictions: Predictions) -> list[Any]:
        return [*(predictions.logits > 0).tolist()]

    def scores(self, predictions: Predictions) -> dict[str, float]:
        """F1 over all decisions, its mean over classes, and the share of texts of which every class is right."""
        guesses, targets = predictions.logits > 0, predictions.targets > 0
        decisions = targets.ravel(), guesses.ravel()
        of_classes = [f1_score(*column, zero_division=0.0) for column in zip(targets.T, guesses.T, strict=True)]
        return {
            "micro_f1": float(f1_score(*decisions, zero_division=0.0)),
            "macro_f1": float(np.mean(of_classes)),
            "accuracy": float(accuracy_score(targets, guesses)),
        }
