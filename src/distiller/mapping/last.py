"""The top of the teacher."""

from typing import Literal

from distiller.mapping.pairs import LayerPair, Mapping, check_depths, each_student_layer


class Last(Mapping):
    """The student learns from the teacher's last layers: the "last" strategy of BERT-PKD (Sun et al. 2019).

    For 4 over 12 layers: (0, 8) (1, 9) (2, 10) (3, 11) (4, 12).
    """

    type: Literal["last"] = "last"

    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        check_depths(student_layers, teacher_layers)
        return each_student_layer([teacher_layers - student_layers + i for i in range(student_layers + 1)])
