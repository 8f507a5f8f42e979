import numpy as np
from scipy.stats import kstest

from distiller.augment.draws import Draws, derived_seed

MASK = 2**64 - 1


def _splitmix(state: int) -> int:
    """The finaliser of SplitMix64 in Python's own integers, as published."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_numbers_are_those_of_splitmix() -> None:
    import zlib

    start = _splitmix((_splitmix(zlib.crc32(b"text")) + 7) & MASK)
    stream = _splitmix((start + 3 * 0x9E3779B97F4A7C15) & MASK)
    expected = [(_splitmix((stream + place * 0x9E3779B97F4A7C15) & MASK) >> 11) / 2**53 for place in range(4)]
    assert Draws(["text"], 7).per_item(np.array([4]), 2).tolist() == expected


def test_numbers_are_uniform_over_texts_places_streams_and_seeds() -> None:
    texts = [f"text {number}" for number in range(2000)]
    draws = Draws(texts, 0)
    for numbers in (
        draws.per_text(0),
        draws.per_text(1),
        draws.per_item(np.full(2000, 5), 0),
        Draws(["one"], 1).per_item(np.array([10_000]), 0),
        np.array([Draws(["one"], seed).per_text(0)[0] for seed in range(2000)]),
    ):
        assert kstest(numbers, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.08


def test_numbers_of_a_text_do_not_depend_on_others() -> None:
    together = Draws(["a", "b", "a"], 3)
    assert together.per_text(0)[0] == together.per_text(0)[2] == Draws(["a"], 3).per_text(0)[0]
    counts = np.array([2, 0, 2])
    assert together.per_item(counts, 1)[2:].tolist() == Draws(["a"], 3).per_item(np.array([2]), 1).tolist()


def test_seeds_differ_by_name_and_place() -> None:
    seeds = [derived_seed(seed, name) for seed in range(50) for name in ("copy", "column", 0, 1)]
    assert len({*seeds}) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
