"""Every k-th layer of the teacher."""

from typing import Literal

from distiller.mapping.pairs import LayerPair, Mapping, check_depths, each_student_layer


class Skip(Mapping):
    """Student layer i learns from teacher layer floor(i · T / S): the "skip" strategy of BERT-PKD (Sun et al. 2019).

    For 4 over 12 layers: (0, 0) (1, 3) (2, 6) (3, 9) (4, 12).
    """

    type: Literal["skip"] = "skip"

    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        check_depths(student_layers, teacher_layers)
        return each_student_layer([i * teacher_layers // student_layers for i in range(student_layers + 1)])
