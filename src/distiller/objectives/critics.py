"""Critics f(x, y), which score how well a student feature x and a teacher feature y belong together, and log a(y).

Features are normalised to mean 0 and variance 1 over their width first: their size differs by orders of magnitude
between models and layers, and a bound on mutual information holds for whatever critic.
"""

from abc import abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from distiller.schema import Config

LARGEST_SCALE = 80.0

Width = Annotated[int, Field(ge=1)]


class Critic(nn.Module):
    """Scores for all pairs of a group."""

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """[..., K, K] with [i, j] = f(x_i, y_j), of x [..., K, student width] and y [..., K, teacher width]."""


class CriticConfig(Config):
    """Base of their configs."""

    @abstractmethod
    def build(self, student_width: int, teacher_width: int) -> Critic:
        """A critic with weights drawn from torch's random state."""


class Separable(CriticConfig):
    """f(x, y) = g(x)ᵀ h(y) with g and h multi-layer perceptrons (Poole et al. 2019, section 4)."""

    type: Literal["separable"] = "separable"
    hidden: Width = 256
    embedding: Width = 128

    def build(self, student_width: int, teacher_width: int) -> "SeparableCritic":
        return SeparableCritic(student_width, teacher_width, self.hidden, self.embedding)


class SeparableCritic(Critic):
    """One hidden layer a side."""

    def __init__(self, student_width: int, teacher_width: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.student = _perceptron(student_width, hidden, embedding)
        self.teacher = _perceptron(teacher_width, hidden, embedding)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        scores: Tensor = self.student(x) @ self.teacher(y).mT
        return scores


class Bilinear(CriticConfig):
    """f(x, y) = xᵀ W y / √width (van den Oord et al. 2018, eq. 3)."""

    type: Literal["bilinear"] = "bilinear"

    def build(self, student_width: int, teacher_width: int) -> "BilinearCritic":
        return BilinearCritic(student_width, teacher_width)


class BilinearCritic(Critic):
    """One matrix."""

    def __init__(self, student_width: int, teacher_width: int) -> None:
        super().__init__()
        self.student = nn.Sequential(_normalised(student_width), nn.Linear(student_width, teacher_width, bias=False))
        self.teacher = _normalised(teacher_width)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        scores: Tensor = self.student(x) @ self.teacher(y).mT / y.shape[-1] ** 0.5
        return scores


class ScaledCosine(CriticConfig):
    """f(x, y) = s · cos(P x, Q y) with linear P and Q and a learned scale s, at most 80, which starts at 10."""

    type: Literal["scaled-cosine"] = "scaled-cosine"
    embedding: Width = 128

    def build(self, student_width: int, teacher_width: int) -> "ScaledCosineCritic":
        return ScaledCosineCritic(student_width, teacher_width, self.embedding)


class ScaledCosineCritic(Critic):
    """The scale is learned as its logarithm, as in CLIP (Radford et al. 2021)."""

    def __init__(self, student_width: int, teacher_width: int, embedding: int) -> None:
        super().__init__()
        self.student = nn.Sequential(_normalised(student_width), nn.Linear(student_width, embedding))
        self.teacher = nn.Sequential(_normalised(teacher_width), nn.Linear(teacher_width, embedding))
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = (functional.normalize(side, dim=-1) for side in (self.student(x), self.teacher(y)))
        # Not cut off: a scale without a gradient could never come back.
        scale = LARGEST_SCALE * torch.tanh(self.log_scale.exp() / LARGEST_SCALE)
        return scale * (x @ y.mT)


class LogBaseline(nn.Module):
    """log a(y), a multi-layer perceptron of one hidden layer; it starts at 0 for every y."""

    def __init__(self, teacher_width: int, hidden: int = 256) -> None:
        super().__init__()
        self.layers = _perceptron(teacher_width, hidden, 1)
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, y: Tensor) -> Tensor:
        """[..., K] of y [..., K, teacher width]."""
        log_baseline: Tensor = self.layers(y).squeeze(-1)
        return log_baseline


AnyCritic = Annotated[Separable | Bilinear | ScaledCosine, Field(discriminator="type")]


def _perceptron(width: int, hidden: int, output: int) -> nn.Sequential:
    return nn.Sequential(_normalised(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, output))


def _normalised(width: int) -> nn.LayerNorm:
    return nn.LayerNorm(width, elementwise_affine=False)
