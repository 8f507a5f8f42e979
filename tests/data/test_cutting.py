from collections import Counter
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.data import Examples
from distiller.data.cutting import hold_out, limit

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def labelled(draw: st.DrawFn) -> Examples:
    """Up to 300 examples of 2 to 5 classes, some of which have the same text."""
    names = st.sampled_from("abcde"[: draw(st.integers(2, 5))])
    labels = draw(st.lists(names, min_size=10, max_size=300))
    repeats = draw(st.integers(0, 3))
    texts = [f"{label} {row // (1 + repeats * (row % 2))}" for row, label in enumerate(labels)]
    return Examples([(text,) for text in texts], labels)


@st.composite
def rated(draw: st.DrawFn) -> Examples:
    count = draw(st.integers(10, 300))
    numbers = np.random.default_rng(draw(SEEDS)).normal(size=count)
    return Examples([(f"text {row}",) for row in range(count)], numbers.tolist())


def _pairs(examples: Examples) -> list[tuple[tuple[str, ...], object]]:
    return list(zip(examples.texts, examples.labels or [], strict=True))


@given(st.one_of(labelled(), rated()), SEEDS)
def test_both_parts_together_are_the_whole_and_no_text_is_in_both(examples: Examples, seed: int) -> None:
    kept, held_out = hold_out(examples, seed)
    assert sorted(_pairs(kept) + _pairs(held_out)) == sorted(_pairs(examples))
    assert not set(kept.texts) & set(held_out.texts)


@given(st.one_of(labelled(), rated()), SEEDS)
def test_both_parts_are_in_the_order_of_the_whole(examples: Examples, seed: int) -> None:
    numbered = Examples(examples.texts, [float(row) for row in range(len(examples))])
    for part in limit(numbered, len(examples) // 2, seed):
        assert list(part.labels or []) == sorted(part.labels or [])


@given(labelled(), SEEDS)
def test_the_same_examples_and_seed_give_the_same_cut(examples: Examples, seed: int) -> None:
    assert hold_out(examples, seed) == hold_out(deepcopy(examples), seed)


def test_another_seed_gives_another_cut() -> None:
    examples = Examples([(f"text {row}",) for row in range(200)], ["a", "b"] * 100)
    cuts = [hold_out(examples, seed)[1] for seed in range(5)]
    assert all(one != other for one in cuts for other in cuts if one is not other)


def test_numpys_global_generator_is_neither_used_nor_moved() -> None:
    examples = Examples([(f"text {row}",) for row in range(50)], ["a", "b"] * 25)
    np.random.seed(1)
    before = hold_out(examples, 0)
    state = np.random.get_state()[1].tolist()
    np.random.seed(2)
    assert hold_out(examples, 0) == before
    np.random.seed(1)
    assert np.random.get_state()[1].tolist() == state


@given(labelled(), SEEDS)
def test_no_class_leaves_the_training_part(examples: Examples, seed: int) -> None:
    kept, _ = hold_out(examples, seed)
    assert set(kept.labels or []) == set(examples.labels or [])


@given(st.lists(st.integers(2, 400), min_size=2, max_size=6), SEEDS)
def test_classes_keep_their_shares_to_within_one_example(sizes: list[int], seed: int) -> None:
    labels = [f"class {index}" for index, size in enumerate(sizes) for _ in range(size)]
    examples = Examples([(f"text {row}",) for row in range(len(labels))], labels)
    held_out = Counter(hold_out(examples, seed)[1].labels or [])
    total = max(len(sizes), round(len(labels) / 10))
    assert sum(held_out.values()) == total
    for index, size in enumerate(sizes):
        count = held_out[f"class {index}"]
        assert count >= 1
        # Classes that would get less than one get one, at the cost of the others, one each at most.
        assert abs(count - size / 10) <= 1 + len(sizes)


def test_shares_are_exact_where_they_can_be() -> None:
    labels = ["a"] * 600 + ["b"] * 300 + ["c"] * 100
    examples = Examples([(f"text {row}",) for row in range(1000)], labels)
    assert Counter(hold_out(examples, 7)[1].labels or []) == {"a": 60, "b": 30, "c": 10}
    assert Counter(limit(examples, 50, 7)[0].labels or []) == {"a": 30, "b": 15, "c": 5}


def test_at_most_1000_are_held_out() -> None:
    examples = Examples([(f"text {row}",) for row in range(20_000)], ["a", "b"] * 10_000)
    kept, held_out = hold_out(examples, 0)
    assert (len(kept), len(held_out)) == (19_000, 1000)


def test_numbers_are_held_out_from_all_over_their_range() -> None:
    numbers = [float(row) for row in range(1000)]
    held_out = hold_out(Examples([(f"text {row}",) for row in range(1000)], numbers), 3)[1]
    assert Counter(int(float(label)) // 100 for label in held_out.labels or []) == dict.fromkeys(range(10), 10)


@pytest.mark.parametrize("count", [10, 20, 50])
def test_a_tenth_of_few_numbers_is_a_tenth(count: int) -> None:
    examples = Examples([(f"text {row}",) for row in range(count)], [float(row) for row in range(count)])
    assert len(hold_out(examples, 0)[1]) == count / 10


def test_texts_whose_labels_differ_are_not_held_out() -> None:
    # `odd` is only ever said of texts that are also called otherwise: cut off, it would be unknown to training.
    texts = [(f"text {row // 2}",) for row in range(200)]
    labels = ["a" if row % 2 == 0 or row >= 100 else "odd" for row in range(200)]
    for seed in range(10):
        kept, held_out = hold_out(Examples(texts, labels), seed)
        assert set(held_out.labels or []) == {"a"}
        assert list(kept.labels or []).count("odd") == 50


@given(st.one_of(labelled(), rated()), SEEDS, st.data())
def test_a_limit_is_met_exactly_and_shows_each_class(examples: Examples, seed: int, data: st.DataObject) -> None:
    classes = {label for label in examples.labels or [] if isinstance(label, str)}
    count = data.draw(st.integers(max(1, len(classes)), len(examples) - 1))
    kept, others = limit(examples, count, seed)
    assert len(kept) == count
    assert sorted(_pairs(kept) + _pairs(others)) == sorted(_pairs(examples))
    assert {label for label in kept.labels or [] if isinstance(label, str)} == classes


@given(st.lists(st.sets(st.sampled_from("abc")), min_size=40, max_size=200), SEEDS)
def test_of_classes_that_come_together_the_rarest_keeps_its_share(labels: list[set[str]], seed: int) -> None:
    examples = Examples([(f"text {row}",) for row in range(len(labels))], [tuple(sorted(one)) for one in labels])
    kept, held_out = hold_out(examples, seed)
    assert sorted(_pairs(kept) + _pairs(held_out)) == sorted(_pairs(examples))
    counts = Counter(name for one in labels for name in one)
    rarest = min(counts, key=lambda name: (counts[name], name), default=None)
    if rarest is not None and counts[rarest] > 20:
        share = sum(rarest in (one or ()) for one in held_out.labels or []) / counts[rarest]
        assert 0.02 < share < 0.25
