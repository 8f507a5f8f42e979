"""What labels are like, by hand and beside scipy."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from distiller.labels import Answer
from distiller.metafeatures.labels import label_features

NOTHING = dict.fromkeys(
    ("n_classes", "label_entropy", "largest_class_share", "entity_share", "unanswered_share", "answer_words")
)


@given(st.lists(st.sampled_from("abcd"), min_size=1))
def test_balance_is_that_of_scipy(labels: list[str]) -> None:
    found = label_features(labels, "classes", ["a", "b", "c", "d"])
    counts = [labels.count(name) for name in "abcd"]
    assert found["label_entropy"] == pytest.approx(entropy(counts, base=4), abs=1e-12)
    assert found["largest_class_share"] == pytest.approx(max(counts) / len(labels))
    assert {name for name, value in found.items() if value is not None} == {
        "n_classes",
        "label_entropy",
        "largest_class_share",
    }


def test_of_one_class_there_is_no_balance() -> None:
    found = label_features([("a",), ()], "sets", ["a"])
    assert found == {**NOTHING, "n_classes": 1, "largest_class_share": 0.5}


def test_where_no_text_is_of_any_class_there_is_no_balance() -> None:
    assert label_features([(), ()], "sets", ["a", "b"]) == {**NOTHING, "n_classes": 2}


def test_of_several_classes_a_text() -> None:
    found = label_features([("a", "b"), ("b",), ("b", "c"), ()], "sets", ["a", "b", "c"])
    shares = np.array([1, 3, 1]) / 5
    balance = -(shares * np.log(shares)).sum() / np.log(3)
    assert found == {
        **NOTHING,
        "n_classes": 3,
        "label_entropy": pytest.approx(balance),
        "largest_class_share": 3 / 4,  # of the texts
    }


def test_of_words() -> None:
    labels = [("O", "B-x", "I-x"), ("O", "O"), ("B-x", "O", "O")]
    found = label_features(labels, "tags", ["B-x", "I-x", "O"])
    counts = Counter(tag for tags in labels for tag in tags)
    assert found == {
        **NOTHING,
        "n_classes": 3,
        "label_entropy": pytest.approx(entropy([*counts.values()], base=3)),
        "largest_class_share": 5 / 8,
        "entity_share": 3 / 8,
    }


def test_words_with_tags_of_another_kind_are_in_no_entity() -> None:
    assert label_features([("NOUN", "VERB")], "tags", ["NOUN", "VERB"])["entity_share"] is None
    assert label_features(["O", "x"], "classes", ["O", "x"])["entity_share"] is None


def test_of_answers() -> None:
    labels = [(Answer(0, "in the old house"), Answer(7, "house")), (), (Answer(3, "42"),), ()]
    assert label_features(labels, "answers", None) == {**NOTHING, "unanswered_share": 0.5, "answer_words": 2.5}
    assert label_features([(), ()], "answers", None) == {**NOTHING, "unanswered_share": 1.0}


def test_of_numbers_there_are_none() -> None:
    assert label_features([0.5, 2.0], "numbers", None) == NOTHING
