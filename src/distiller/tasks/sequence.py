"""What the tasks that predict one thing per text share: tokens in, one row of logits out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distiller.errors import UserError, unknown


@dataclass(frozen=True)
class Predictions:
    """What a model says of a split: logits [examples, outputs] and targets [examples]."""

    logits: NDArray[np.float32]
    targets: NDArray[Any]


class SequenceTask(ABC):
    """A task with one target per text."""

    name: ClassVar[str]
    label_kind: ClassVar[Literal["classes", "numbers"]]
    metrics: ClassVar[tuple[str, ...]]
    """What `scores` computes; the first is the primary one unless the dataset or the user says otherwise."""
    missing_target: ClassVar[float]
    """The target of a text that nobody has labelled."""
    target_dtype: ClassVar[torch.dtype]

    @abstractmethod
    def head(self, classes: list[str] | None) -> dict[str, Any]:
        """The fields of a transformers config that shape the head."""

    @abstractmethod
    def targets(self, labels: Sequence[str] | Sequence[float], classes: list[str] | None) -> list[float]:
        """Labels as numbers, in the order of the examples."""

    @abstractmethod
    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss over the labelled examples: logits [batch, outputs], targets [batch]; 0 if none is labelled."""

    @abstractmethod
    def scores(self, predictions: Predictions) -> dict[str, float]:
        """Every metric of the task by name."""

    def primary_metric(self, chosen: str | None, customary: str | None) -> str:
        """The metric that counts: the user's choice, else the dataset's customary one, else the task's first.

        Raises:
            UserError: If the user's choice is not a metric of this task.
        """
        if chosen is not None and chosen not in self.metrics:
            raise UserError("metric", f"{unknown('metric', chosen, [*self.metrics])} for the task {self.name}")
        return chosen or customary or self.metrics[0]
