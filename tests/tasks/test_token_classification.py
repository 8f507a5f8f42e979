"""A class for each word: entities as seqeval counts them, losses over the words that are labelled."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from distiller import tasks
from distiller.tasks import Predictions, entities

TASK = tasks.build("token-classification")
TAGS = ["O", "B-person", "I-person", "B-place", "I-place"]
SENTENCES = st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8), min_size=1, max_size=6)


@given(st.lists(st.sampled_from(TAGS), max_size=12))
def test_entities_are_those_of_seqeval(tags: list[str]) -> None:
    assert entities(tags) == get_entities(tags)


@given(SENTENCES, st.randoms(use_true_random=False))
def test_scores_are_those_of_seqeval(right: list[list[str]], random: np.random.Generator) -> None:
    guessed = [[random.choice(TAGS) if random.random() < 0.4 else tag for tag in tags] for tags in right]
    flat = [TAGS.index(tag) for tags in guessed for tag in tags]
    flat_right = [TAGS.index(tag) for tags in right for tag in tags]
    scores = TASK.scores(
        Predictions(
            np.eye(5, dtype=np.float32)[flat],
            np.array(flat_right),
            np.array([*map(len, right)]),
            TAGS,
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert scores["f1"] == pytest.approx(f1_score(right, guessed))
        assert scores["precision"] == pytest.approx(precision_score(right, guessed))
        assert scores["recall"] == pytest.approx(recall_score(right, guessed))
    assert scores["accuracy"] == np.mean(
        [a == b for x, y in zip(right, guessed, strict=True) for a, b in zip(x, y, strict=True)]
    )


def test_tags_without_a_scheme_count_word_by_word() -> None:
    classes = ["NOUN", "VERB"]
    logits = np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]
    scores = TASK.scores(Predictions(logits, np.array([0, 1, 0, 0]), np.array([3, 1]), classes))
    assert scores["f1"] == scores["accuracy"] == 3 / 4


def test_a_word_that_was_cut_off_is_outside() -> None:
    logits = np.eye(5, dtype=np.float32)[[1, 1]]
    logits[1] = np.nan
    scores = TASK.scores(Predictions(logits, np.array([1, 1]), np.array([2]), TAGS))
    assert scores["recall"] == 1 / 2
    assert scores["precision"] == 1


def test_label_loss_is_the_mean_negative_log_probability_of_labelled_words() -> None:
    logits = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [torch.nan, torch.nan]]], requires_grad=True)
    targets = torch.tensor([[0, -100], [1, -100]])
    expected = (np.log(1 + np.exp(-1.0)) + np.log(1 + np.exp(3.0))) / 2
    loss = TASK.label_loss(logits, targets)
    loss.backward()
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[:, 1].any()


def test_where_no_word_is_labelled_the_loss_is_0() -> None:
    logits = torch.full((1, 2, 2), torch.nan, requires_grad=True)
    loss = TASK.label_loss(logits, torch.tensor([TASK.missing(("two words",), TAGS)]))
    assert loss.item() == 0
