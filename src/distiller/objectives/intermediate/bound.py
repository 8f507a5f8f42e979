"""What the losses that are bounds on mutual information share: `mi`, `infonce`, `nwj`, `tuba`."""

import math
from abc import abstractmethod
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from distiller.objectives import views
from distiller.objectives.critics import AnyCritic, LogBaseline, Separable
from distiller.objectives.intermediate.loss import ByFeatureConfig, LearnedHiddenLoss, LearnedHiddenLossConfig


class BoundConfig(ByFeatureConfig, LearnedHiddenLossConfig):
    """Base of their configs.

    `feature` is what stands for a text: `cls`, `mean`, or `tokens`: `positions` of each text, in as many groups, which
    are told from those of other texts; with `same_text_negatives` all are told from each other.
    """

    takes_any_width: ClassVar[bool] = True
    may_be_negative: ClassVar[bool] = True

    feature: views.Feature = "cls"
    positions: Annotated[int, Field(ge=1)] = 4
    same_text_negatives: bool = False
    critic: AnyCritic = Separable()

    @abstractmethod
    def build(self) -> "BoundLoss":
        """The loss itself, without its weight."""


class BoundLoss(LearnedHiddenLoss):
    """log K less a lower bound, in nats, on the mutual information of student and teacher features; K pairs a group.

    The constant changes no gradient. With it the loss is positive until the bound shows more than InfoNCE ever can,
    and of the same size as other losses. Fewer than two pairs have no bound: the loss of them is 0.
    """

    def __init__(self, config: BoundConfig) -> None:
        super().__init__(config.learning_rate_factor)
        self._config = config

    def add_weights(self, student_width: int, teacher_width: int) -> None:
        self.critic = self._config.critic.build(student_width, teacher_width)

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        bound, pairs = self.estimate(student_states, teacher_states, mask)
        return math.log(pairs) - bound

    def estimate(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None) -> tuple[Tensor, int]:
        """The bound in nats, and the number K of pairs that it was found with; 0 of 1 pair, which has none."""
        self.ensure_drawn(student_states, teacher_states)
        x, y = self._groups(student_states, teacher_states, mask)
        pairs = x.shape[1]
        if pairs < 2:
            # 0, but of the weights: with several processes each of them has to take part in every step.
            return sum((0.0 * weight.sum() for weight in self.parameters()), 0.0 * x.sum()), 1
        scores = self.critic(x, y)
        return torch.stack([self.bound(*group) for group in zip(scores, y, strict=True)]).mean(), pairs

    @abstractmethod
    def bound(self, scores: Tensor, y: Tensor) -> Tensor:
        """Of one group: scores [K, K], teacher features [K, teacher width]."""

    def _groups(self, student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features [groups, K, width] of both sides."""
        if self._config.feature != "tokens":
            x, y = views.texts(student, teacher, mask, self._config.feature)
            return x.unsqueeze(0), y.unsqueeze(0)
        x, y, new = views.positions(student, teacher, mask, self._config.positions)
        if not self._config.same_text_negatives:
            return x, y
        return x[new].unsqueeze(0), y[new].unsqueeze(0)  # a position must not be told from itself


class BaselineBoundLoss(BoundLoss):
    """A bound with a learned baseline of each teacher feature."""

    def add_weights(self, student_width: int, teacher_width: int) -> None:
        super().add_weights(student_width, teacher_width)
        self.log_baseline = LogBaseline(teacher_width)
