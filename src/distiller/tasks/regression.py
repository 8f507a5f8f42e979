"""One number per text, or per pair of texts."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor
from torch.nn import functional

from distiller.labels import LabelKind
from distiller.tasks.task import Predictions, Task


class Regression(Task):
    """The head has one output, which is the number itself."""

    name: ClassVar[str] = "regression"
    label_kind: ClassVar[LabelKind] = "numbers"
    metrics: ClassVar[tuple[str, ...]] = ("pearson", "spearman")
    missing_target: ClassVar[float] = float("nan")
    target_dtype: ClassVar[torch.dtype] = torch.float32
    default_prediction: ClassVar[str] = "mse"
    exclusive_classes: ClassVar[bool] = False

    def head(self, classes: list[str] | None) -> dict[str, Any]:  # noqa: ARG002 - numbers have no classes
        return {"num_labels": 1, "problem_type": "regression"}

    def targets(self, labels: Sequence[Any], classes: list[str] | None) -> list[Any]:  # noqa: ARG002
        return [float(label) for label in labels]

    def costs(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        """[batch, 1]: squared errors; a number does not say how sure it is, so without a label 0."""
        if targets is None:
            return torch.zeros_like(logits)
        return (logits - targets.unsqueeze(-1)).square().nan_to_num(0.0)

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        labelled = ~targets.isnan()
        if not bool(labelled.any()):
            return logits.sum() * 0.0
        return functional.mse_loss(logits.float().squeeze(-1)[labelled], targets[labelled].float())

    def scores(self, predictions: Predictions) -> dict[str, float]:
        """Pearson and Spearman correlation; 0 where one side is constant, since neither is defined there."""
        guesses, targets = predictions.logits[:, 0].astype(np.float64), predictions.targets.astype(np.float64)
        if np.ptp(guesses) == 0 or np.ptp(targets) == 0:
            return dict.fromkeys(self.metrics, 0.0)
        return {
            "pearson": float(pearsonr(guesses, targets).statistic),
            "spearman": float(spearmanr(guesses, targets).statistic),
        }
