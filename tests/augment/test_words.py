import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.augment.words import Words, cut, is_word, with_case_of


def _words(text: str) -> list[str]:
    words = Words([text])
    return [words[word] for word in range(len(words))]


def _without(text: str, *removed: int) -> str:
    words = Words([text])
    words.remove(np.array(removed))
    return words.joined()[0]


@given(st.lists(st.text(max_size=40), max_size=5))
def test_what_is_not_changed_is_what_it_was(texts: list[str]) -> None:
    assert Words(texts).joined() == texts


def test_words_are_letters_with_punctuation_around_them_left_out() -> None:
    text = "He said: “don't (really) pay $5 to x@y.z, well-known since 1999”!"
    assert _words(text) == ["He", "said", "don't", "really", "pay", "to", "well-known", "since"]


@pytest.mark.parametrize("piece", ["3", "v1.0", "a.b", "x_y", "a@b", "C++", "...", "", "'", "--", "1st", "a/b", "U.S."])
def test_what_is_no_plain_word(piece: str) -> None:
    assert not is_word(piece)


def test_marks_belong_to_the_letters_before_them() -> None:
    assert _words("cafe\u0301 हिन्दी") == ["cafe\u0301", "हिन्दी"]


def test_a_word_is_put_within_the_punctuation_of_the_one_before() -> None:
    words = Words(["Is (this) it?"])
    words.put(1, "that")
    words.put(2, "him")
    assert words.joined() == ["Is (that) him?"]


def test_words_go_with_one_space_each() -> None:
    assert _without("a bb  ccc d", 1) == "a  ccc d"
    assert _without("a bb\nccc d", 2) == "a bb\nd"


def test_the_capital_goes_to_what_is_first_then() -> None:
    assert _without("Who wrote it", 0) == "Wrote it"
    assert _without("Who wrote it", 0, 1) == "It"
    assert _without("who wrote it", 0) == "wrote it"
    assert _without("Who NASA", 0) == "NASA"


def test_punctuation_of_a_word_that_goes_is_taken_by_its_neighbours() -> None:
    assert _without("What is it?", 2) == "What is?"
    assert _without("It came, saw, won.", 2, 3) == "It came."
    assert _without("A (very old) dog", 1) == "A (old) dog"
    assert _without("A (very old) dog", 2) == "A (very) dog"
    assert _without("Stop. Now!", 1) == "Stop. !"
    assert _without("Pay 10.5 now!", 1) == "Pay 10.5 !"


def test_counts_say_which_text_a_word_is_of() -> None:
    words = Words(["one two", "", "3 4", "five\nsix seven"])
    assert words.counts.tolist() == [2, 0, 0, 3]
    assert words.text_of.tolist() == [0, 0, 3, 3, 3]
    assert words.number_in_text.tolist() == [0, 1, 0, 1, 2]


@pytest.mark.parametrize(
    ("word", "other", "expected"),
    [("dog", "Cat", "Dog"), ("dog", "CAT", "DOG"), ("dog", "cat", "dog"), ("iPad", "cat", "iPad"), ("dog", "I", "Dog")],
)
def test_a_word_takes_the_case_of_another(word: str, other: str, expected: str) -> None:
    assert with_case_of(word, other) == expected


@given(st.text(alphabet="ab ", max_size=60), st.integers(2, 10))
def test_a_text_is_cut_at_spaces(text: str, longest: int) -> None:
    parts = cut(text, longest)
    assert "".join(parts) == text
    assert all(len(part) <= longest or " " not in part[1:longest] for part in parts)
