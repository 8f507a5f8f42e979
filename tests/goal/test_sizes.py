import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig

from distiller import UserError
from distiller.goal.sizes import sizes
from distiller.models import outline


def bert(layers: int) -> BertConfig:
    return BertConfig(hidden_size=32, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=64)


def test_of_six_layers_one_to_five_are_kept_evenly_spaced() -> None:
    found = sizes(bert(6), "sequence")
    assert {name: config.layers for name, config in found.items()} == {
        "1 layer": [0],
        "2 layers": [0, 3],
        "3 layers": [0, 2, 4],
        "4 layers": [0, 1, 3, 4],
        "5 layers": [0, 1, 2, 3, 4],
    }


@given(st.integers(2, 16))
def test_students_of_any_teacher_grow_and_are_smaller_than_it(depth: int) -> None:
    found = list(sizes(bert(depth), "sequence").values())
    counts = [len(config.layers or []) for config in found]
    assert counts == sorted(set(counts))
    assert counts[-1] < depth
    assert all(max(config.layers or []) < depth for config in found)
    assert all(outline(config, bert(depth))["layers"] == count for config, count in zip(found, counts, strict=True))


def test_what_is_given_is_tried_the_smallest_first() -> None:
    assert [*sizes(bert(6), "sequence", ["0,2,4", "5"])] == ["5", "0,2,4"]


def test_layers_that_are_not_there_and_a_teacher_of_one_layer_are_refused() -> None:
    with pytest.raises(UserError, match="has no layer 9"):
        sizes(bert(6), "sequence", ["0,9"])
    with pytest.raises(UserError, match="name students with --student"):
        sizes(bert(1), "sequence")
