"""Some of many examples, whatever their order."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.data import Examples
from distiller.metafeatures import drawing
from distiller.metafeatures.drawing import drawn

ROWS = st.lists(st.tuples(st.text(max_size=3), st.sampled_from("ab")), min_size=1, max_size=30)


def _examples(rows: list[tuple[str, str]]) -> Examples:
    return Examples([(text,) for text, _ in rows], [label for _, label in rows])


def _rows(examples: Examples) -> list[tuple[str, str]]:
    return [(text, str(label)) for (text,), label in zip(examples.texts, examples.labels or [], strict=True)]


@given(ROWS, st.randoms(use_true_random=False), st.integers(min_value=1, max_value=40))
def test_the_order_of_rows_is_no_matter(rows: list[tuple[str, str]], order: random.Random, most: int) -> None:
    shuffled = order.sample(rows, len(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "MOST_TEXTS", most)
        some = _rows(drawn(_examples(rows)))
        assert _rows(drawn(_examples(shuffled))) == some
    assert len(some) == min(most, len(rows))
    assert Counter(some) <= Counter(rows)


def test_every_row_is_as_likely_as_another_also_where_many_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_TEXTS", 1000)
    rows = [("the same", "a")] * 2000 + [(f"text {number:04}", "ab"[number % 2]) for number in range(2000)]
    some = _rows(drawn(_examples(rows)))
    # Of 1000 drawn from 4000 without replacement, four standard deviations of what is expected: 500 and 250.
    assert some.count(("the same", "a")) == pytest.approx(500, abs=4 * (1000 * 0.25 * 0.75) ** 0.5)
    others = [text for text, _ in some if text != "the same"]
    early = sum(text < "text 1000" for text in others)
    assert early == pytest.approx(len(others) / 2, abs=4 * (len(others) / 4) ** 0.5)
    # And they stand in no order: the first half of what was drawn is like the second.
    first = some[:500].count(("the same", "a"))
    assert first == pytest.approx(250, abs=4 * (500 * 0.25) ** 0.5)


def test_long_texts_are_fewer_and_one_is_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_CHARACTERS", 100)
    rows = [(f"{number:02}" * 8, "a") for number in range(50)]
    assert len(drawn(_examples(rows))) == 100 // 16
    assert len(drawn(_examples([("long" * 100, "a")]))) == 1
