"""What every mapping that is known before training has to hold."""

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from distiller import UserError
from distiller.mapping import MappingConfig, layer_pairs

DEPTHS = st.tuples(st.integers(1, 48), st.integers(0, 48)).map(lambda both: (both[0], both[0] + both[1]))


class MappingConformance:
    """Inherit and set `options`: a mapping that fits every student of one layer or more."""

    options: ClassVar[dict[str, Any]]

    @given(DEPTHS)
    def test_layers_exist_weights_are_positive_and_no_pair_comes_twice(self, depths: tuple[int, int]) -> None:
        student_layers, teacher_layers = depths
        pairs = layer_pairs(student_layers=student_layers, teacher_layers=teacher_layers, **self.options)
        assert pairs
        assert all(0 <= student <= student_layers and 0 <= teacher <= teacher_layers for student, teacher, _ in pairs)
        assert all(weight > 0 for _, _, weight in pairs)
        assert len({(student, teacher) for student, teacher, _ in pairs}) == len(pairs)

    def test_the_config_survives_a_round_trip_and_refuses_what_it_does_not_know(self) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(MappingConfig)
        config = adapter.validate_python(self.options)
        assert adapter.validate_python(config.model_dump()) == config
        with pytest.raises(UserError, match="mapping: unknown field 'typo'"):
            layer_pairs(student_layers=2, teacher_layers=4, typo=1, **self.options)


class EachLayerConformance(MappingConformance):
    """A mapping that gives every student layer, the embeddings included, one teacher layer."""

    @given(DEPTHS)
    def test_each_student_layer_has_one_teacher_layer_and_they_rise_to_the_top(self, depths: tuple[int, int]) -> None:
        student_layers, teacher_layers = depths
        pairs = layer_pairs(student_layers=student_layers, teacher_layers=teacher_layers, **self.options)
        assert [student for student, _, _ in pairs] == list(range(student_layers + 1))
        teachers = [teacher for _, teacher, _ in pairs]
        assert teachers == sorted(set(teachers))
        assert teachers[-1] == teacher_layers

    @given(st.integers(1, 48))
    def test_a_student_as_deep_as_its_teacher_learns_layer_from_layer(self, layers: int) -> None:
        pairs = layer_pairs(student_layers=layers, teacher_layers=layers, **self.options)
        assert pairs == [(layer, layer, 1.0) for layer in range(layers + 1)]

    def test_a_student_deeper_than_its_teacher_is_refused(self) -> None:
        with pytest.raises(UserError, match="mapping: the student has 5 layers, its teacher 4"):
            layer_pairs(student_layers=5, teacher_layers=4, **self.options)

    def test_a_student_without_layers_is_refused(self) -> None:
        with pytest.raises(UserError, match="mapping: the student has 0 layers, its teacher 4"):
            layer_pairs(student_layers=0, teacher_layers=4, **self.options)
