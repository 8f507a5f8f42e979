"""Variational Information Distillation."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from distiller.objectives.intermediate.loss import LearnedHiddenLoss, LearnedHiddenLossConfig, Level
from distiller.objectives.rows import counted_of_any_width, mean_over

FIRST_VARIANCE = 5.0
LEAST_VARIANCE = 1e-5


class VID(LearnedHiddenLossConfig):
    """-log q(t|s) up to a constant, q a normal distribution with a learned mean and variances (Ahn et al. 2019).

    The smaller it is, the higher a lower bound on the mutual information of the two. How small it can get depends on
    the teacher, on what its states have that the student's do not tell; it may be negative.
    """

    takes_any_width: ClassVar[bool] = True
    may_be_negative: ClassVar[bool] = True

    type: Literal["vid"] = "vid"

    @property
    def level(self) -> Level:
        return "token"

    def build(self) -> "VIDLoss":
        return VIDLoss(self.learning_rate_factor)


class VIDLoss(LearnedHiddenLoss):
    """½ ((μ(s) - t)² / σ² + log σ²), mean over valid positions and the teacher's width.

    μ is linear, and σ² = softplus(rho) + 1e-5 of each of the teacher's channels, 5 at first as with the authors. Equal
    to torchdistill's `VIDLoss` given this mean and variance. With the best σ² it is the mean over channels of
    ½ (1 + log of the squared error that is left), where that is above 1e-5; it is never below ½ log 1e-5.
    """

    def add_weights(self, student_width: int, teacher_width: int) -> None:
        self.mean = nn.Linear(student_width, teacher_width)
        self.rho = nn.Parameter(torch.full((teacher_width,), math.log(math.expm1(FIRST_VARIANCE - LEAST_VARIANCE))))

    def variance(self) -> Tensor:
        """[teacher width]."""
        return functional.softplus(self.rho) + LEAST_VARIANCE

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted_of_any_width(student_states, teacher_states, mask)
        self.ensure_drawn(student, teacher)
        variance = self.variance()
        surprise = ((self.mean(student) - teacher).square() / variance + variance.log()) / 2
        return mean_over(surprise.mean(dim=-1), counts)
