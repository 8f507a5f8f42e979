"""What all tasks share: tokens in, logits out, for each text or for each of its words."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distiller.errors import UserError, unknown
from distiller.labels import LabelKind
from distiller.tasks.passages import Passages
from distiller.tasks.tokens import Segmentation


@dataclass(frozen=True)
class Predictions:
    """What a model says of a split.

    Attributes:
        logits: [examples, outputs]; of words [words of all examples, outputs], not a number for those not read. Of
            answers [places of all passages, 2]: whether one begins there, and whether it ends.
        targets: [examples] or [examples, outputs]; of words [words of all examples]; of answers [passages, 2].
        words: [examples], how many words each has, or [passages], how many places; None if it says one thing of each.
        classes: Names of the outputs, in their order; None if they have none.
        passages: What answers were looked for in; None if there are none.
        threshold: By how much no answer has to be more probable than one; None if that is not settled.
    """

    logits: NDArray[np.float32]
    targets: NDArray[Any]
    words: NDArray[np.int64] | None = None
    classes: list[str] | None = None
    passages: Passages | None = None
    threshold: float | None = None

    @property
    def count(self) -> int:
        """Of examples, or of questions."""
        if self.passages is not None:
            return len(self.passages.contexts)
        return len(self.logits if self.words is None else self.words)

    def of(self, kept: NDArray[np.bool_]) -> "Predictions":
        """Those of some examples, or of some questions, shape [examples]."""
        rows = kept if self.passages is None else kept[self.passages.questions]
        outputs = rows if self.words is None else np.repeat(rows, self.words)
        return replace(
            self,
            logits=self.logits[outputs],
            targets=self.targets[outputs if self.passages is None else rows],
            words=None if self.words is None else self.words[rows],
            passages=None if self.passages is None else self.passages.of(kept),
        )

    def by_text(self, of_words: NDArray[Any]) -> list[NDArray[Any]]:
        """What is known of each word, text by text.

        Raises:
            ValueError: If it says one thing of an example.
        """
        if self.words is None:
            raise ValueError("predictions of texts say nothing of their words")
        return np.split(of_words, np.cumsum(self.words)[:-1])


def named_head(classes: list[str] | None) -> dict[str, Any]:
    """The fields of a transformers config for one output a class."""
    names = dict(enumerate(classes or []))
    return {
        "num_labels": len(names),
        "id2label": names,
        "label2id": {name: index for index, name in names.items()},
    }


def cross_entropies(logits: Tensor, targets: Tensor | None, missing: float) -> Tensor:
    """[...]: of distributions over the last dimension, by logits [..., outputs] and targets [...].

    Without a target, or where its probability is 0, the entropy: the cross-entropy that is to be expected by itself.
    """
    expected: Tensor = torch.special.entr(logits.softmax(dim=-1)).sum(dim=-1)
    if targets is None:
        return expected
    labelled = targets != missing
    at_label = logits.log_softmax(dim=-1).gather(-1, torch.where(labelled, targets, 0).unsqueeze(-1)).squeeze(-1)
    return torch.where(labelled & ~at_label.isinf(), -at_label, expected)


class Task(ABC):
    """A task with one target per text, or one per word."""

    name: ClassVar[str]
    label_kind: ClassVar[LabelKind]
    metrics: ClassVar[tuple[str, ...]]
    """What models may be judged by; the first is the primary one unless the dataset or the user says otherwise."""
    missing_target: ClassVar[float]
    """The target of a text that nobody has labelled."""
    target_dtype: ClassVar[torch.dtype]
    default_prediction: ClassVar[str]
    """The loss on predictions where the pipeline names none."""
    exclusive_classes: ClassVar[bool]
    """Whether softmax makes probabilities of the logits."""
    head_kind: ClassVar[Literal["sequence", "token", "span"]] = "sequence"
    segmentation: ClassVar[Segmentation | None] = None
    """What the words are of which a model says something each; None if it says one thing of a text."""

    @abstractmethod
    def head(self, classes: list[str] | None) -> dict[str, Any]:
        """The fields of a transformers config that shape the head."""

    @abstractmethod
    def targets(self, labels: Sequence[Any], classes: list[str] | None) -> list[Any]:
        """Labels as numbers, or rows of numbers, in the order of the examples."""

    def missing(self, text: tuple[str, ...], classes: list[str] | None) -> Any:  # noqa: ARG002 - not all look at them
        """The target of a text that nobody has labelled, as `targets` has them."""
        return self.missing_target

    @abstractmethod
    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean over the labelled examples, 0 if none is: logits [batch, outputs], targets as `targets` has them."""

    @abstractmethod
    def costs(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        """The loss of each example at its label; without one, the loss that is to be expected by the logits themselves.

        Args:
            logits: [batch, outputs], in float32; of words [batch, words, outputs]; of answers [batch, places, 2].
            targets: As `targets` has them; None if no example has any.

        Returns:
            As many dimensions as the logits, with one number for each example, or each word.
        """

    @abstractmethod
    def scores(self, predictions: Predictions) -> dict[str, float]:
        """Every metric of the task by name."""

    def guesses(self, predictions: Predictions) -> list[Any]:  # noqa: ARG002
        """The labels that are told of each text, word or question, one each; empty where numbers are told."""
        return []

    is_settled: ClassVar[bool] = False
    """Whether anything besides weights is chosen by what a trained model says of the validation split."""

    def settled(self, predictions: Predictions) -> dict[str, Any]:  # noqa: ARG002 - few tasks have any
        """Fields of a trained model's config that are chosen so."""
        return {}

    def threshold(self, config: Any) -> float | None:  # noqa: ARG002
        """What was settled with a model of that config, for `Predictions`."""
        return None

    def files(self, predictions: Predictions) -> dict[str, Any]:  # noqa: ARG002
        """By the names of JSON files, what evaluation leaves besides scores."""
        return {}

    def primary_metric(self, chosen: str | None, customary: str | None) -> str:
        """The metric that counts: the user's choice, else the dataset's customary one, else the task's first.

        Raises:
            UserError: If the user's choice is not a metric of this task.
        """
        if chosen is not None and chosen not in self.metrics:
            raise UserError("metric", f"{unknown('metric', chosen, [*self.metrics])} for the task {self.name}")
        return chosen or customary or self.metrics[0]
