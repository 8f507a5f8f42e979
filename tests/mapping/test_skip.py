from conformance.mappings import EachLayerConformance
from distiller.mapping import layer_pairs


class TestSkip(EachLayerConformance):
    options = {"type": "skip"}


def test_skip_is_that_of_the_design() -> None:
    assert layer_pairs("skip", 4, 12) == [(0, 0, 1.0), (1, 3, 1.0), (2, 6, 1.0), (3, 9, 1.0), (4, 12, 1.0)]
