"""Tags of words: schemes, and what is wrong with them, by row and word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.data.rows import Rows
from distiller.data.tags import all_tags, tags_of, words_of
from distiller.errors import UserError


def _rows(words: list[object], tags: list[object]) -> Rows:
    return Rows("the file", "line", [1, 20, 30, 40][: len(words)], {"text": words, "label": tags}, typed=True)


def _tags(*rows: list[str]) -> list[tuple[str, ...]]:
    words: list[object] = [["w"] * len(tags) for tags in rows]
    return _read(_rows(words, [*rows]))


def _read(rows: Rows) -> list[tuple[str, ...]]:
    return tags_of(rows, "label", [(text,) for text in words_of(rows, "text")])


def _refusal(words: list[object], tags: list[object]) -> str:
    with pytest.raises(UserError) as refusal:
        _read(_rows(words, tags))
    return str(refusal.value)


def test_iob2_stays_as_it_is() -> None:
    tags = ["O", "B-a", "I-a", "B-a", "B-b", "I-b"]
    assert _tags(tags) == [tuple(tags)]


def test_in_iob1_an_entity_begins_with_i_unless_it_follows_one_of_its_type() -> None:
    """The example of Ramshaw and Marcus 1995, section 4: B- only marks the second of two that touch."""
    assert _tags(["I-a", "I-a", "O", "I-a", "B-a", "I-b"]) == [("B-a", "I-a", "O", "B-a", "B-a", "B-b")]


def test_iobes_and_bilou_say_the_same() -> None:
    expected = [("B-a", "O", "B-a", "I-a", "I-a")]
    assert _tags(["S-a", "O", "B-a", "I-a", "E-a"]) == _tags(["U-a", "O", "B-a", "I-a", "L-a"]) == expected


@given(st.lists(st.lists(st.sampled_from(["O", "B-a", "B-b"]), min_size=1, max_size=6), min_size=1, max_size=4))
def test_words_of_single_entities_are_the_same_in_both_schemes(rows: list[list[str]]) -> None:
    apart = [[tag for one in tags for tag in (one, "O")] for tags in rows]
    as_iob1 = [[tag.replace("B-", "I-") for tag in tags] for tags in apart]
    assert _tags(*apart[:4]) == _tags(*as_iob1[:4])


def test_an_i_after_o_where_others_begin_with_b_is_named_by_line_and_word() -> None:
    message = _refusal([["a", "b"], ["c", "d", "e"]], [["B-x", "O"], ["O", "O", "I-x"]])
    assert message == (
        "the file: column 'label' holds 'I-x' where an entity begins (line 20, word 3): "
        "write B-x there, as elsewhere in it"
    )


@pytest.mark.parametrize(
    ("words", "tags", "told"),
    [
        ([["a", "b"]], [["O"]], "has 1 tags for 2 words (line 1): give each word one"),
        ([["a"], ["b"]], [["O"], None], "holds no tags (line 20)"),
        ([["a"], ["b"]], [["O"], [" "]], "holds no tags (line 20)"),
        ([["a"], []], [["O"], []], "holds no words (line 20)"),
        ([["a"], ["b", ""]], [["O"], ["O", "O"]], "holds '', which is no word (line 20, word 2)"),
        ([["a", "b\ud800"]], [["O", "O"]], "which is no word (line 1, word 2)"),
        ([["a"]], [["B-\ud800"]], "holds no tags (line 1)"),
        ([["a b"]], [["O"]], "holds 'a b', which is no word (line 1, word 1)"),
    ],
)
def test_what_is_ragged_or_empty_is_named(words: list[object], tags: list[object], told: str) -> None:
    assert told in _refusal(words, tags)


def test_the_tag_is_quoted_as_it_stands_there() -> None:
    assert "holds 'E-x' where an entity begins (line 20, word 1)" in _refusal([["a"], ["b"]], [["B-x"], ["E-x"]])


def test_a_text_is_as_good_as_a_list_of_its_words() -> None:
    read = _rows(["one two"], ["O B-x"])
    assert words_of(read, "text") == ["one two"]
    assert tags_of(read, "label", [("one two",)]) == [("O", "B-x")]


def test_each_type_has_both_of_its_tags() -> None:
    assert all_tags({"B-a", "I-b", "O"}) == {"O", "B-a", "I-a", "B-b", "I-b"}
    assert all_tags({"NOUN", "VERB"}) == {"NOUN", "VERB"}
