"""What every mapping gives, and what is refused for all of them."""

from abc import abstractmethod
from collections.abc import Sequence

from distiller.errors import UserError
from distiller.schema import Config

LayerPair = tuple[int, int, float]
"""Student layer, teacher layer, weight."""


class Mapping(Config):
    """Base of the mappings that are known before training."""

    @abstractmethod
    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        """The layer pairs, in the order of the student's layers.

        Args:
            student_layers: Transformer layers of the student; its hidden states are 0 (embeddings) to this.
            teacher_layers: Those of the teacher.

        Raises:
            UserError: If the mapping does not fit the two models.
        """


def each_student_layer(teacher: Sequence[int]) -> list[LayerPair]:
    """Pairs of weight 1 that give student layer i the teacher layer `teacher[i]`."""
    return [(student, layer, 1.0) for student, layer in enumerate(teacher)]


def check_depths(student_layers: int, teacher_layers: int) -> None:
    """Refuse a student without layers, or with more than its teacher: there is no teacher layer for each of its own.

    Raises:
        UserError: Naming both depths.
    """
    if not 1 <= student_layers <= teacher_layers:
        depths = f"the student has {student_layers} layers, its teacher {teacher_layers}"
        raise UserError("mapping", f"{depths}; give the student 1 to {teacher_layers}, or use type: explicit")
