from conformance.mappings import EachLayerConformance
from distiller.mapping import layer_pairs


class TestLast(EachLayerConformance):
    options = {"type": "last"}


def test_last_is_that_of_the_design() -> None:
    assert layer_pairs("last", 4, 12) == [(0, 8, 1.0), (1, 9, 1.0), (2, 10, 1.0), (3, 11, 1.0), (4, 12, 1.0)]
