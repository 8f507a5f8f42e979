"""The terms of the loss, joined: each named and weighted."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from distiller.models import Features, Reading
from distiller.objectives.balance import Balance
from distiller.objectives.config import ObjectiveConfig
from distiller.objectives.intermediate import HiddenLoss, HiddenLossConfig, LearnedHiddenLoss
from distiller.objectives.intermediate.bound import BoundLoss
from distiller.objectives.places import between_places
from distiller.objectives.prediction import PredictionLoss

MUTUAL_INFORMATION = "mutual_information."
"""What the name of an estimate begins with; the layer pair follows."""


@dataclass(frozen=True)
class Layers:
    """The layers that the intermediate term compares.

    Attributes:
        pairs: (student layer, teacher layer); 0 is the embedding output.
        weights: Called with the losses [pairs] of the pairs; gives the weights [pairs] of their mean. Its attribute
            `varies` says whether they differ from batch to batch.
        student_width: Of what is compared, of the student.
        teacher_width: Of the teacher; where it differs and the loss wants one width, each pair has a projection.
        by_words: Whether what is compared of tokens is compared word by word, since tokenizers differ.
    """

    pairs: Sequence[tuple[int, int]]
    weights: nn.Module
    student_width: int
    teacher_width: int
    by_words: bool = False


class Objective(nn.Module):
    """The loss of a run as named terms; what it learns (critics, projections) is no part of the student.

    Args:
        config: The `objective` part of the pipeline.
        layers: What the intermediate term compares; None if there is no such term.
        hard_label_loss: The task's loss, called as (logits, targets).
        seed: Seed of what is learned.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        layers: Layers | None,
        hard_label_loss: Callable[[Tensor, Tensor], Tensor],
        seed: int,
    ) -> None:
        super().__init__()
        self._prediction = config.on_predictions
        self._hard_label_weight = config.hard_label.weight
        self._hard_label_loss = hard_label_loss
        self.prediction_loss = self._prediction.build() if self._prediction else None
        between = config.between_layers
        self.between_layers = BetweenLayers(between, layers, seed) if between is not None and layers else None
        self._weights = _weights(config)
        self.balance = Balance([*self._weights]) if config.balance == "ema" else None

    @property
    def needs_teacher(self) -> bool:
        """Whether any term looks at the teacher."""
        return self._prediction is not None or self.between_layers is not None

    @property
    def estimates_mutual_information(self) -> bool:
        """Whether the term between layers is a bound on it."""
        return self.between_layers is not None and isinstance(self.between_layers.losses[0], BoundLoss)

    @property
    def further(self) -> int:
        """Of how many other texts any term wants the teacher's vectors for each batch."""
        return self.between_layers.config.further if self.between_layers is not None else 0

    @property
    def reads_of_student(self) -> Reading | None:
        """What of the student any term looks at besides logits."""
        return self.between_layers.reads_of_student if self.between_layers is not None else None

    @property
    def reads_of_teacher(self) -> Reading | None:
        """What of the teacher."""
        return self.between_layers.reads_of_teacher if self.between_layers is not None else None

    def forward(
        self,
        student: Features,
        teacher: Features | None,
        targets: Tensor,
        partners: Tensor | None = None,
        share: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted (and balanced) terms by name, each a scalar: the loss is their sum. Then what is only looked at.

        The latter: each term as it came, as `raw.NAME`; of each layer pair (student layer, teacher layer) the estimate
        of mutual information in nats, as `mutual_information.S-T`, and its weight where that varies, as `mapping.S-T`.

        Args:
            student: Of the student, read as `reads_of_student` says.
            teacher: Of the teacher for the same texts, as `reads_of_teacher` says; None if no term needs it.
            targets: [batch], the task's missing target where nobody has labelled the text.
            partners: [batch], the text of the batch with which each is mixed, and whose target counts too; None if
                texts are not mixed.
            share: [], that of the first of two.

        Raises:
            ValueError: If a term needs the teacher, or layers, and they are not there.
        """
        if self.needs_teacher and teacher is None:
            raise ValueError("the objective compares the student with its teacher, and got nothing of the teacher")
        raw: dict[str, Tensor] = {}
        observed: dict[str, Tensor] = {}
        if self._prediction is not None and self.prediction_loss is not None and teacher is not None:
            raw[f"prediction.{self._prediction.type}"] = _between_predictions(self.prediction_loss, student, teacher)
        if self._hard_label_weight > 0:
            raw["hard_label"] = self._of_labels(student.logits, targets, partners, share)
        if self.between_layers is not None and teacher is not None:
            value, observed = self.between_layers(student, teacher)
            raw[f"intermediate.{self.between_layers.config.type}"] = value
        balanced = self.balance(raw) if self.balance is not None else raw
        terms = {name: self._weights[name] * value for name, value in balanced.items()}
        return terms, {**observed, **{f"raw.{name}": value for name, value in raw.items()}}

    def _of_labels(self, logits: Tensor, targets: Tensor, partners: Tensor | None, share: Tensor | None) -> Tensor:
        loss = self._hard_label_loss(logits, targets)
        if partners is None or share is None:
            return loss
        return share * loss + (1 - share) * self._hard_label_loss(logits, targets[partners])


class BetweenLayers(nn.Module):
    """The weighted mean of a loss over layer pairs; each pair has its own critic or projection, if any.

    Args:
        config: The `intermediate` part of the objective.
        layers: What is compared.
        seed: Seed of what is learned.
    """

    def __init__(self, config: HiddenLossConfig, layers: Layers, seed: int) -> None:
        super().__init__()
        self.config = config
        self._pairs = [*layers.pairs]
        self._by_words = layers.by_words
        self.reads_of_student, self.reads_of_teacher = (
            Reading(config.reads, tuple(sorted({*side})), "words" if layers.by_words else config.pools)
            for side in zip(*layers.pairs, strict=True)
        )
        self.weights = layers.weights
        student_width, teacher_width = layers.student_width, layers.teacher_width
        self.losses = nn.ModuleList(config.build() for _ in self._pairs)
        for index, loss in enumerate(self.losses):
            if isinstance(loss, LearnedHiddenLoss):
                loss.draw(student_width, teacher_width, seed + index)
        projected = student_width != teacher_width and not config.takes_any_width
        generator = torch.Generator().manual_seed(seed)
        self.projections = nn.ModuleList(
            _projection(student_width, teacher_width, generator) for _ in self._pairs if projected
        )
        self._learns = bool(projected) or isinstance(self.losses[0], LearnedHiddenLoss)

    def forward(self, student: Features, teacher: Features) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean, and the mutual information in nats of each pair by name, if the loss is a bound on it.

        The student learns from a pair as much as that weighs. Critics and projections learn from all pairs alike: what
        is never trained, because a mapping gives its pair no weight in a batch, would make that pair look bad for good.
        So where there are any, the weights are put on what flows back to the student, and not on the losses.
        """
        weights: list[Tensor] = []
        compared = [self._pair(index, student, teacher, weights) for index in range(len(self._pairs))]
        costs = torch.stack([cost for cost, _ in compared])
        weights.append(self.weights(functional.softplus(costs) if self.config.may_be_negative else costs))
        observed = {
            f"{MUTUAL_INFORMATION}{student_layer}-{teacher_layer}": nats.detach()
            for (student_layer, teacher_layer), (_, nats) in zip(self._pairs, compared, strict=True)
            if nats is not None
        }
        if cast("bool", self.weights.varies):
            shares = zip(self._pairs, weights[0].detach().unbind(), strict=True)
            observed |= {f"mapping.{student}-{teacher}": share for (student, teacher), share in shares}
        # A pair of no weight adds nothing, even where its loss is infinite.
        weighted = torch.where(weights[0] == 0, 0.0, weights[0] * costs.detach())
        slopes = torch.where(costs.isinf(), 0.0, costs - costs.detach())
        if not self._learns:
            slopes = len(self._pairs) * weights[0].detach() * slopes
        return weighted.sum() + slopes.mean(), observed

    def _pair(
        self, index: int, student: Features, teacher: Features, weights: list[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """The loss of one pair, and its mutual information; `weights` are filled in before the gradient flows."""
        student_layer, teacher_layer = self._pairs[index]
        own, others = _of_layer(student, student_layer), _of_layer(teacher, teacher_layer)
        counts = student.counts.bool() & teacher.counts.bool() if self._by_words else student.counts
        if self._learns and own.requires_grad:
            own = own.view_as(own)  # of its own: other pairs may look at the same layer
            own.register_hook(lambda slope: slope * (len(self._pairs) * weights[0][index].detach()).to(slope.dtype))
        if len(self.projections) > 0:
            own = _projected(own, counts, cast("nn.Linear", self.projections[index]))
        loss = cast("HiddenLoss", self.losses[index])
        with torch.autocast(own.device.type, enabled=False):
            if not isinstance(loss, BoundLoss):
                return loss(own, others, counts), None
            bound, pairs = loss.estimate(own, others, counts, teacher.further.get(teacher_layer))
            return math.log(pairs) - bound, bound if pairs > 1 else None


def _between_predictions(loss: PredictionLoss, student: Features, teacher: Features) -> Tensor:
    said_of = student.said_of
    if said_of is None:
        return cast("Tensor", loss(student.logits, teacher.logits))
    if student.of_places:
        return between_places(loss, student.logits, teacher.logits, (said_of >= 0) & teacher.logits.isfinite())
    both = (said_of[..., 1] > said_of[..., 0]) & teacher.logits.isfinite().all(dim=-1)
    return cast("Tensor", loss(student.logits, teacher.logits, both))


def _of_layer(features: Features, layer: int) -> Tensor:
    if layer not in features.layers:
        raise ValueError(f"the intermediate term needs layer {layer}, and it was not read")
    return features.layers[layer]


def _weights(config: ObjectiveConfig) -> dict[str, float]:
    """Of each term that is computed, by name."""
    weights = {"hard_label": config.hard_label.weight} if config.hard_label.weight > 0 else {}
    if config.on_predictions is not None:
        weights[f"prediction.{config.on_predictions.type}"] = config.on_predictions.weight
    if config.between_layers is not None:
        weights[f"intermediate.{config.between_layers.type}"] = config.between_layers.weight
    return weights


def _projected(states: Tensor, counts: Tensor, projection: nn.Linear) -> Tensor:
    # Padding is set to zero before it meets the weights: their gradient would be 0 times what lies there, NaN for NaN.
    states = states.masked_fill(counts.unsqueeze(-1) == 0, 0.0)
    return cast("Tensor", projection(states.to(projection.weight.dtype)))


def _projection(student_width: int, teacher_width: int, generator: torch.Generator) -> nn.Linear:
    projection = cast("nn.Linear", nn.utils.skip_init(nn.Linear, student_width, teacher_width))
    bound = student_width**-0.5  # as nn.Linear draws its own, which takes no generator
    for parameter in (projection.weight, projection.bias):
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return projection
