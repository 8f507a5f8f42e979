from hypothesis import given
from hypothesis import strategies as st

from conformance.mappings import DEPTHS, EachLayerConformance
from distiller.mapping import layer_pairs


class TestUniform(EachLayerConformance):
    options = {"type": "uniform"}


@given(DEPTHS)
def test_no_teacher_layer_is_nearer_to_the_even_distance(depths: tuple[int, int]) -> None:
    student_layers, teacher_layers = depths
    for student, teacher, _ in layer_pairs("uniform", student_layers, teacher_layers):
        exact = student * teacher_layers / student_layers
        assert abs(teacher - exact) <= min(abs(other - exact) for other in range(teacher_layers + 1))


@given(st.integers(1, 12), st.integers(1, 6))
def test_it_is_skip_where_the_depths_divide(student_layers: int, times: int) -> None:
    depths = (student_layers, student_layers * times)
    assert layer_pairs("uniform", *depths) == layer_pairs("skip", *depths)


def test_it_is_not_skip_elsewhere() -> None:
    assert [teacher for _, teacher, _ in layer_pairs("uniform", 4, 6)] == [0, 2, 3, 5, 6]
    assert [teacher for _, teacher, _ in layer_pairs("skip", 4, 6)] == [0, 1, 3, 4, 6]
