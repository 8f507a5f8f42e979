"""What every mapping gives, and what is refused for all of them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from distiller.errors import UserError
from distiller.schema import Config

LayerPair = tuple[int, int, float]
"""Student layer, teacher layer, weight."""


class PairWeights(nn.Module):
    """How much each layer pair counts, given what it costs; what it learns is trained along with the student.

    Attributes:
        varies: Whether the weights differ from batch to batch.
    """

    varies: ClassVar[bool] = True

    @abstractmethod
    def forward(self, costs: Tensor) -> Tensor:
        """Weights [pairs] that sum to 1, of the losses [pairs] of the pairs in this batch."""


class FixedWeights(PairWeights):
    """The same in every batch."""

    varies: ClassVar[bool] = False
    weights: Tensor

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        shares = torch.tensor(weights) / sum(weights)
        self.register_buffer("weights", shares, persistent=False)

    def forward(self, costs: Tensor) -> Tensor:
        return self.weights.to(costs.dtype)


class Mapping(Config):
    """Base of the mappings."""

    @abstractmethod
    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        """The layer pairs, in the order of the student's layers.

        Args:
            student_layers: Transformer layers of the student; its hidden states are 0 (embeddings) to this.
            teacher_layers: Those of the teacher.

        Raises:
            UserError: If the mapping does not fit the two models.
        """

    def weights(self, pairs: Sequence[LayerPair]) -> PairWeights:
        """How much each of the pairs that are compared counts: here the weights that they came with."""
        return FixedWeights([weight for _, _, weight in pairs])


def each_student_layer(teacher: Sequence[int]) -> list[LayerPair]:
    """Pairs of weight 1 that give student layer i the teacher layer `teacher[i]`."""
    return [(student, layer, 1.0) for student, layer in enumerate(teacher)]


def every_pair(student_layers: int, teacher_layers: int) -> list[LayerPair]:
    """Each student layer with each teacher layer, without the embeddings, at equal weights."""
    layers = range(1, student_layers + 1), range(1, teacher_layers + 1)
    return [(student, teacher, 1.0) for student in layers[0] for teacher in layers[1]]


def check_depths(student_layers: int, teacher_layers: int) -> None:
    """Refuse a student without layers, or with more than its teacher: there is no teacher layer for each of its own.

    Raises:
        UserError: Naming both depths.
    """
    if not 1 <= student_layers <= teacher_layers:
        depths = f"the student has {student_layers} layers, its teacher {teacher_layers}"
        raise UserError("mapping", f"{depths}; give the student 1 to {teacher_layers}, or use type: explicit")
