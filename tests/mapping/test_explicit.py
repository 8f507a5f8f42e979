from typing import Any

import pytest

from conformance.mappings import MappingConformance
from distiller import UserError
from distiller.mapping import layer_pairs


class TestExplicit(MappingConformance):
    options = {"type": "explicit", "pairs": [[0, 0], [1, 1, 0.5], [1, 0]]}


def test_pairs_are_those_given_with_weight_one_unless_said() -> None:
    assert layer_pairs("explicit", 2, 6, pairs=[[2, 6], [0, 3, 0.25]]) == [(2, 6, 1.0), (0, 3, 0.25)]


@pytest.mark.parametrize(
    ("pairs", "mend"),
    [
        ([[3, 0]], r"mapping\.pairs: the student has no hidden state 3; its are 0 \(embeddings\) to 2"),
        ([[0, 7]], r"mapping\.pairs: the teacher has no hidden state 7; its are 0 \(embeddings\) to 6"),
        ([], r"mapping: pairs: give at least 1"),
        ([[0, 0], [0, 0, 2.0]], r"the pair \[0, 0\] is there twice"),
        ([[0, 0, 0]], r"mapping: pairs\.0"),
        ([[0, 0, -1.0]], r"mapping: pairs\.0"),
        ([[-1, 0]], r"mapping: pairs\.0"),
        ([[0]], r"mapping: pairs\.0"),
        ([["1", 0]], r"mapping: pairs\.0\.0: Input should be a valid integer, not '1'"),
        ([[0, True]], r"mapping: pairs\.0\.1: Input should be a valid integer, not True"),
        ([[1.0, 0]], r"mapping: pairs\.0\.0: Input should be a valid integer, not 1\.0"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(pairs: list[Any], mend: str) -> None:
    with pytest.raises(UserError, match=mend) as caught:
        layer_pairs("explicit", 2, 6, pairs=pairs)
    assert "\n" not in str(caught.value)


def test_a_misspelt_mapping_gets_the_near_name() -> None:
    with pytest.raises(UserError, match="unknown type 'unifrom'; did you mean 'uniform'"):
        layer_pairs("unifrom", 2, 4)
