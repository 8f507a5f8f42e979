"""Teacher layers at even distances."""

from typing import Literal

from distiller.mapping.pairs import LayerPair, Mapping, check_depths, each_student_layer


class Uniform(Mapping):
    """Student layer i learns from the teacher layer nearest to i · T / S, the upper one of two equally near.

    The "uniform" strategy of TinyBERT (Jiao et al. 2020) where S divides T; the rounding elsewhere is ours.

    Where S divides T this is `skip`; elsewhere `skip` takes the lower layer. For 4 over 6 layers `uniform` gives
    (1, 2) (2, 3) (3, 5) (4, 6), `skip` (1, 1) (2, 3) (3, 4) (4, 6).
    """

    type: Literal["uniform"] = "uniform"

    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        check_depths(student_layers, teacher_layers)
        nearest = [(2 * i * teacher_layers + student_layers) // (2 * student_layers) for i in range(student_layers + 1)]
        return each_student_layer(nearest)
