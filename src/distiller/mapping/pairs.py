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


def check_not_deeper(student_layers: int, teacher_layers: int) -> None:
    """Refuse a student with more layers than its teacher, which these mappings have no layers for.

    Raises:
        UserError: Naming both depths.
    """
    if student_layers > teacher_layers:
        mend = f"the student has {student_layers} layers, its teacher {teacher_layers}; use type: explicit"
        raise UserError("mapping", mend)
