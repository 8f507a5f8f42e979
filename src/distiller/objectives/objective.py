"""The terms of the loss, joined: each named and weighted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from distiller.objectives.config import ObjectiveConfig


@dataclass(frozen=True)
class Features:
    """What one model gave for a batch.

    Attributes:
        logits: [batch, classes] or [batch, length, classes].
        hidden_states: One [batch, length, width] per layer, the embedding output first; None if nobody asked.
        mask: [batch, length], nonzero where a position is no padding.
    """

    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    mask: Tensor


class Objective(nn.Module):
    """The loss of a run as named terms; it holds the learned projections, which are no part of the student.

    Args:
        config: The `objective` part of the pipeline.
        pairs: (student layer, teacher layer, weight) for the intermediate term.
        student_width: Width of the student's hidden states.
        teacher_width: Width of the teacher's; where it differs, each pair has a linear projection of its own.
        hard_label_loss: The task's loss, called as (logits, targets).
        seed: Seed of the projections.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        pairs: Sequence[tuple[int, int, float]],
        student_width: int,
        teacher_width: int,
        hard_label_loss: Callable[[Tensor, Tensor], Tensor],
        seed: int,
    ) -> None:
        super().__init__()
        self._prediction = config.prediction if config.prediction and config.prediction.weight > 0 else None
        self._intermediate = config.intermediate if config.intermediate and config.intermediate.weight > 0 else None
        self._hard_label_weight = config.hard_label.weight
        self._hard_label_loss = hard_label_loss
        self._pairs = [*pairs] if self._intermediate else []
        self.prediction_loss = self._prediction.build() if self._prediction else None
        self.hidden_loss = self._intermediate.build() if self._intermediate else None
        widths_differ = student_width != teacher_width
        count = len(self._pairs) if widths_differ else 0
        self.projections = _projections(count, student_width, teacher_width, seed)

    @property
    def needs_teacher(self) -> bool:
        """Whether any term looks at the teacher."""
        return self._prediction is not None or self._intermediate is not None

    @property
    def needs_hidden_states(self) -> bool:
        """Whether any term looks at hidden states."""
        return self._intermediate is not None

    def forward(self, student: Features, teacher: Features | None, targets: Tensor) -> dict[str, Tensor]:
        """The weighted terms by name, each a scalar; the loss is their sum.

        Args:
            student: Of the student.
            teacher: Of the teacher for the same texts; None if no term needs it.
            targets: [batch], the task's missing target where nobody has labelled the text.

        Raises:
            ValueError: If a term needs the teacher, or hidden states, and they are not there.
        """
        if self.needs_teacher and teacher is None:
            raise ValueError("the objective compares the student with its teacher, and got nothing of the teacher")
        terms: dict[str, Tensor] = {}
        if self._prediction is not None and self.prediction_loss is not None and teacher is not None:
            mask = student.mask if student.logits.dim() == 3 else None
            value = self.prediction_loss(student.logits, teacher.logits, mask)
            terms[f"prediction.{self._prediction.type}"] = self._prediction.weight * value
        if self._hard_label_weight > 0:
            terms["hard_label"] = self._hard_label_weight * self._hard_label_loss(student.logits, targets)
        if self._intermediate is not None and teacher is not None:
            value = self._mean_over_pairs(student, teacher)
            terms[f"intermediate.{self._intermediate.type}"] = self._intermediate.weight * value
        return terms

    def _mean_over_pairs(self, student: Features, teacher: Features) -> Tensor:
        if self.hidden_loss is None or student.hidden_states is None or teacher.hidden_states is None:
            raise ValueError("the intermediate term needs the hidden states of both models")
        total = sum(weight for _, _, weight in self._pairs)
        value = torch.zeros((), device=student.logits.device)
        for index, (student_layer, teacher_layer, weight) in enumerate(self._pairs):
            states = student.hidden_states[student_layer]
            if len(self.projections) > 0:
                states = _projected(states, student.mask, cast("nn.Linear", self.projections[index]))
            loss = self.hidden_loss(states, teacher.hidden_states[teacher_layer], student.mask)
            value = value + weight / total * loss
        return value


def _projected(states: Tensor, mask: Tensor, projection: nn.Linear) -> Tensor:
    # Padding is set to zero before it meets the weights: their gradient would be 0 times what lies there, NaN for NaN.
    states = states.masked_fill(mask.unsqueeze(-1) == 0, 0.0)
    return cast("Tensor", projection(states.to(projection.weight.dtype)))


def _projections(count: int, student_width: int, teacher_width: int, seed: int) -> nn.ModuleList:
    generator = torch.Generator().manual_seed(seed)
    return nn.ModuleList(_projection(student_width, teacher_width, generator) for _ in range(count))


def _projection(student_width: int, teacher_width: int, generator: torch.Generator) -> nn.Linear:
    projection = cast("nn.Linear", nn.utils.skip_init(nn.Linear, student_width, teacher_width))
    bound = student_width**-0.5  # as nn.Linear draws its own, which takes no generator
    for parameter in (projection.weight, projection.bias):
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return projection
