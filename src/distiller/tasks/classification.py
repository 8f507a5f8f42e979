"""One class per text, or per pair of texts."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from torch import Tensor
from torch.nn import functional

from distiller.labels import LabelKind
from distiller.tasks.task import Predictions, Task, cross_entropies, named_head


class Classification(Task):
    """Classes are names; the order of `classes` is the order of the logits."""

    name: ClassVar[str] = "classification"
    label_kind: ClassVar[LabelKind] = "classes"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1", "matthews")
    missing_target: ClassVar[float] = -100
    target_dtype: ClassVar[torch.dtype] = torch.long
    default_prediction: ClassVar[str] = "kl"
    exclusive_classes: ClassVar[bool] = True

    def head(self, classes: list[str] | None) -> dict[str, Any]:
        return {**named_head(classes), "problem_type": "single_label_classification"}

    def targets(self, labels: Sequence[Any], classes: list[str] | None) -> list[Any]:
        index = {name: position for position, name in enumerate(classes or [])}
        return [index[str(label)] for label in labels]

    def costs(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        return cross_entropies(logits, targets, self.missing_target).unsqueeze(-1)

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if not bool((targets != self.missing_target).any()):
            return logits.sum() * 0.0
        return functional.cross_entropy(logits.float(), targets, ignore_index=int(self.missing_target))

    def guesses(self, predictions: Predictions) -> list[Any]:
        return [*predictions.logits.argmax(axis=1).tolist()]

    def scores(self, predictions: Predictions) -> dict[str, float]:
        """Accuracy; F1 of the second of two classes (as GLUE has it), else its mean over classes; Matthews."""
        guesses, targets = predictions.logits.argmax(axis=1), predictions.targets
        average = "binary" if predictions.logits.shape[1] == 2 else "macro"
        return {
            "accuracy": float(accuracy_score(targets, guesses)),
            "f1": float(f1_score(targets, guesses, average=average, zero_division=0.0)),
            "matthews": float(matthews_corrcoef(targets, guesses)),
        }
