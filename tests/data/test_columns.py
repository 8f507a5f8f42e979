"""Cells that are wrong, named by file, column and row."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.data.columns import Columns, read_texts
from distiller.data.rows import Rows
from distiller.errors import UserError
from distiller.labels import LabelKind


def _plain(**columns: list[Any]) -> Rows:
    """As from a CSV file: line 1 is the header."""
    count = len(next(iter(columns.values())))
    return Rows("the file", "line", range(2, count + 2), columns, typed=False)


def _typed(**columns: list[Any]) -> Rows:
    """As from a Parquet file."""
    count = len(next(iter(columns.values())))
    return Rows("the file", "row", range(1, count + 1), columns, typed=True)


def _refusal(rows: Rows, kind: LabelKind = "classes", classes: list[str] | None = None) -> str:
    with pytest.raises(UserError) as refusal:
        Columns(["text"], "label", kind).examples(rows, classes)
    return str(refusal.value)


def test_a_column_that_is_not_there_is_refused_with_the_near_one_and_the_field() -> None:
    message = _refusal(_plain(texts=["x"], label=["a"]))
    assert message == (
        "the file: unknown column 'text'; did you mean 'texts'? (known: texts, label); choose one with data.text"
    )
    assert "unknown column 'label'" in _refusal(_plain(text=["x"], lable=["a"]))
    assert _refusal(_plain(text=["x"], lable=["a"])).endswith("choose one with data.label")


@pytest.mark.parametrize(("rows", "where"), [(_plain, "lines 3, 4, 6, 7, 8"), (_typed, "rows 2, 3, 5, 6, 7")])
def test_blank_texts_are_named_by_the_first_five_rows(rows: Callable[..., Rows], where: str) -> None:
    message = _refusal(rows(text=["x", "", " \t", "x", "", "", "\n", "", ""], label=["a"] * 9))
    assert message == f"the file: column 'text' is empty ({where} and 2 more): write a text there or remove these rows"


@pytest.mark.parametrize("null", [None, math.nan])
def test_null_in_a_typed_file_is_an_empty_cell(null: object) -> None:
    assert "column 'text' is empty (row 2)" in _refusal(_typed(text=["x", null], label=["a", "b"]))
    assert "column 'label' has no label (row 2)" in _refusal(_typed(text=["x", "y"], label=["a", null]))
    assert "has no label (row 2)" in _refusal(_typed(text=["x", "y"], label=[1.5, null]), "numbers")


def test_an_empty_label_is_refused_with_where_unlabelled_texts_belong() -> None:
    message = _refusal(_plain(text=["x", "y", "z"], label=["a", " ", "b"]))
    assert message.startswith("the file: column 'label' has no label (line 3): ")
    assert "data.unlabelled" in message


def test_a_text_column_of_a_plain_file_that_is_mostly_numbers_is_refused_with_the_others() -> None:
    message = _refusal(_plain(text=["1", "2.5", "-3e2", "word"], body=["w"] * 4, label=["a"] * 4))
    assert message == (
        "the file: column 'text' holds numbers (lines 2, 3, 4): choose one of body, label with data.text"
    )


def test_some_numbers_among_the_texts_of_a_plain_file_are_texts() -> None:
    rows = _plain(text=["1", "2.5", "word", "nan"], label=["a", "b", "a", "b"])
    assert Columns(["text"], "label", "classes").examples(rows).texts == [("1",), ("2.5",), ("word",), ("nan",)]


@pytest.mark.parametrize("cell", [7, 0.5, True, ["x"], {"x": 1}])
def test_any_cell_of_a_typed_file_that_is_no_text_is_refused(cell: object) -> None:
    message = _refusal(_typed(text=["x", cell, "y"], label=["a", "b", "a"]))
    assert message == "the file: column 'text' holds no text (row 2): choose one of label with data.text"


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ([0, 1, 1], ["0", "1", "1"]),
        ([True, False, True], ["true", "false", "true"]),
        ([1.0, 2.0, -3.0], ["1", "2", "-3"]),
        (["1.0", " a", "A"], ["1.0", " a", "A"]),
    ],
)
def test_labels_become_names_of_classes(cells: list[Any], labels: list[str]) -> None:
    rows = _typed(text=["x", "y", "z"], label=cells)
    assert Columns(["text"], "label", "classes").examples(rows).labels == labels


@pytest.mark.parametrize("cell", ["good", "nan", "inf", "-Infinity", "1_000", "3,5", "0x10"])
def test_a_target_that_is_no_finite_number_is_named_by_its_row(cell: str) -> None:
    message = _refusal(_plain(text=["x", "y"], label=["1.5", cell]), "numbers")
    assert message.startswith(f"the file: column 'label' holds {cell!r}, which is no finite number (line 3): ")
    assert message.endswith("correct or remove it, or set task: classification")


@pytest.mark.parametrize("cell", [True, math.inf, [1.0]])
def test_a_target_of_a_typed_file_that_is_no_finite_number_is_named_by_its_row(cell: object) -> None:
    assert "which is no finite number (row 1)" in _refusal(_typed(text=["x"], label=[cell]), "numbers")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_targets_keep_their_value_in_plain_and_typed_files(numbers: list[float]) -> None:
    columns = Columns(["text"], "label", "numbers")
    texts = ["x"] * len(numbers)
    assert columns.examples(_plain(text=texts, label=[repr(number) for number in numbers])).labels == numbers
    assert columns.examples(_typed(text=texts, label=numbers)).labels == numbers


@pytest.mark.parametrize("cell", [["a", "b"], {"a": 1}, []])
def test_a_label_that_is_a_list_or_an_object_is_named_by_its_row(cell: object) -> None:
    message = _refusal(_typed(text=["x", "y"], label=["a", cell]))
    assert message == (
        f"the file: column 'label' holds {cell!r}, which names no class (row 2): give each row one label, "
        "a word or a number"
    )


@pytest.mark.parametrize("half", ["\ud83d", "a smile: \ude00"])
def test_half_a_character_is_named_by_its_row_in_texts_and_labels(half: str) -> None:
    whole = "\U0001f600"
    message = _refusal(_typed(text=["x", half], label=["a", "b"]))
    assert message == (
        "the file: column 'text' holds half a character (a lone surrogate) (row 2): write it anew in whole characters"
    )
    assert "column 'label' holds half a character" in _refusal(_typed(text=["x", whole], label=["a", half]))
    assert Columns(["text"], "label", "classes").examples(_typed(text=[whole], label=[whole])).texts == [(whole,)]


def test_a_whole_number_too_large_for_any_target_is_named_by_its_row() -> None:
    message = _refusal(_typed(text=["x", "y"], label=[1, 10**400]), "numbers")
    assert "which is no finite number (row 2)" in message
    assert len(message) < 200
    assert "column 'text' holds no text (row 1)" in _refusal(_typed(text=[10**400], label=["a"]))


def test_white_space_around_a_label_is_part_of_it() -> None:
    labels = Columns(["text"], "label", "classes").examples(_plain(text=["x", "y"], label=["a ", "a"])).labels
    assert labels == ["a ", "a"]


@pytest.mark.parametrize(
    ("cells", "labelled"),
    [([None, "a"], True), ([-1, 0], True), ([None, None], False), (["", " "], False), ([-1, -1], False)],
)
def test_labels_that_benchmarks_withhold_are_none(cells: list[Any], labelled: object) -> None:
    assert Columns(["text"], "label", "classes").has_labels(_typed(text=["x", "y"], label=cells)) is labelled


def test_minus_one_is_a_label_where_training_has_such_a_class() -> None:
    columns, rows = Columns(["text"], "label", "classes"), _typed(text=["x", "y"], label=[-1, -1])
    assert columns.has_labels(rows, ["-1", "0", "1"])
    assert not columns.has_labels(rows, ["0", "1"])


def test_a_label_that_training_never_shows_is_named_with_its_row() -> None:
    message = _refusal(_plain(text=["x", "y"], label=["a", "c"]), classes=["a", "b"])
    assert message.startswith("the file: column 'label' holds the label 'c', which no training example has (line 3): ")


def test_two_columns_become_pairs_and_texts_are_not_stripped() -> None:
    rows = _plain(one=[" a ", "b"], two=["c\n", 'd"'], label=["x", "y"])
    assert read_texts(rows, ["two", "one"]) == [("c\n", " a "), ('d"', "b")]


LISTS = [["urgent", "billing"], [], ["billing", "billing"], [3]]


def test_lists_of_classes_come_typed_or_as_json() -> None:
    typed = Columns(["text"], "label", "sets").examples(_typed(text=["w", "x", "y", "z"], label=LISTS))
    plain = _plain(text=["w", "x", "y", "z"], label=['["urgent", "billing"]', "[]", '["billing", "billing"]', "[3]"])
    assert typed.labels == [("billing", "urgent"), (), ("billing",), ("3",)]
    assert Columns(["text"], "label", "sets").examples(plain).labels == typed.labels


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (_plain(text=["x", "y"], label=["[]", "urgent"]), "holds 'urgent', which is no list of classes (line 3)"),
        (_typed(text=["x", "y"], label=[[], [["a"]]]), "holds [['a']], which is no list of classes (row 2)"),
        (_typed(text=["x"], label=[["a", " "]]), "holds a class without a name (row 1)"),
        (_typed(text=["x"], label=[None]), "has no label (row 1)"),
    ],
)
def test_what_is_no_list_of_classes_is_named(rows: Rows, told: str) -> None:
    assert told in _refusal(rows, "sets")


def test_of_a_list_a_class_that_no_training_example_has_is_named() -> None:
    message = _refusal(_typed(text=["x", "y"], label=[["a"], ["a", "new"]]), "sets", classes=["a", "b"])
    assert "holds the label 'new', which no training example has (row 2)" in message
