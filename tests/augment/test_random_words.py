from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.augmenters import ChanceConformance
from distiller.augment import augment

PLAIN = st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=5), min_size=2, max_size=20)


class TestSwap(ChanceConformance):
    options = {"type": "random", "action": "swap", "p": 0.3}


class TestDelete(ChanceConformance):
    options = {"type": "random", "action": "delete", "p": 0.3}


class TestCrop(ChanceConformance):
    options = {"type": "random", "action": "crop", "p": 0.3}


class TestSubstitute(ChanceConformance):
    options = {"type": "random", "action": "substitute", "p": 0.3, "words": ("foo", "bar")}


def _changed(before: list[str], seed: int, **options: Any) -> list[str]:
    return augment([" ".join(before)], [{"type": "random", **options}], seed)[0].split(" ")


@given(PLAIN, st.floats(0.01, 1), st.integers(0, 100))
def test_swapping_moves_words_to_the_next_place_and_loses_none(words: list[str], p: float, seed: int) -> None:
    numbered = [f"{word}{'x' * place}" for place, word in enumerate(words)]
    changed = _changed(numbered, seed, action="swap", p=p)
    assert Counter(changed) == Counter(numbered)
    assert all(abs(changed.index(word) - numbered.index(word)) <= 1 for word in numbered)
    assert changed != numbered


@given(PLAIN, st.floats(0.01, 1), st.integers(0, 100))
def test_deleting_leaves_the_others_in_order_and_at_least_one(words: list[str], p: float, seed: int) -> None:
    numbered = [f"{word}{'x' * place}" for place, word in enumerate(words)]
    changed = _changed(numbered, seed, action="delete", p=p)
    assert changed == [word for word in numbered if word in changed]
    assert 1 <= len(changed) < len(numbered)


@given(PLAIN, st.floats(0.01, 1), st.integers(0, 100))
def test_cropping_takes_one_run(words: list[str], p: float, seed: int) -> None:
    numbered = [f"{word}{'x' * place}" for place, word in enumerate(words)]
    changed = _changed(numbered, seed, action="crop", p=p)
    lost = [place for place, word in enumerate(numbered) if word not in changed]
    assert lost == [*range(lost[0], lost[0] + len(lost))]
    assert len(changed) >= 1


@pytest.mark.parametrize("action", ["swap", "delete", "crop", "substitute"])
@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_p_is_the_fraction_of_words_that_are_touched(action: str, p: float) -> None:
    words = [f"w{'abcdefghij'[place % 10]}{'x' * (place // 10)}" for place in range(30)]
    touched = 0
    for seed in range(200):
        changed = _changed(words, seed, action=action, p=p)
        same = [one == other for one, other in zip(words, changed, strict=False)]
        touched += len(words) - (len(changed) if len(changed) < len(words) else sum(same))
    assert touched / (200 * len(words)) == pytest.approx(p, abs=0.01)


def test_every_place_is_touched_in_time() -> None:
    words = ["a", "b", "c", "d", "e"]
    for action in ("swap", "delete", "crop", "substitute"):
        at = Counter(
            place
            for seed in range(300)
            for place, word in enumerate(words)
            if [*_changed(words, seed, action=action, p=0.2), *"....."][place] != word
        )
        assert {*at} == {0, 1, 2, 3, 4}, action


def test_a_capital_stays_where_the_text_begins() -> None:
    texts = {augment(["Who wrote it"], [{"type": "random", "p": 0.5}], seed)[0] for seed in range(40)}
    assert texts == {"Wrote who it", "Who it wrote"}


def test_substitutes_are_the_given_words() -> None:
    changed = _changed(["aa", "bb", "cc", "dd"] * 25, 0, action="substitute", p=0.5, words=["foo", "bar"])
    assert {*changed} - {"aa", "bb", "cc", "dd"} == {"foo", "bar"}


def test_a_single_word_is_swapped_with_nothing() -> None:
    assert augment(["word"], [{"type": "random", "p": 1.0}], 0) == ["word"]
