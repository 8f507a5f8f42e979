import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distiller import tasks
from distiller.errors import UserError
from distiller.tasks import Predictions


def _predictions(guesses: list[int], targets: list[int], classes: int) -> Predictions:
    return Predictions(np.eye(classes, dtype=np.float32)[guesses], np.asarray(targets))


def test_scores_equal_those_counted_by_hand() -> None:
    # Against class 1: 2 hits, 1 false alarm, 1 miss, 4 rejected rightly.
    scores = tasks.build("classification").scores(
        _predictions([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0], classes=2)
    )
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert scores["f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert scores["matthews"] == pytest.approx((2 * 4 - 1 * 1) / np.sqrt(3 * 3 * 5 * 5))


def test_f1_over_many_classes_is_the_mean_over_them() -> None:
    scores = tasks.build("classification").scores(_predictions([0, 0, 1, 2], [0, 1, 1, 2], classes=3))
    assert scores["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_a_model_that_always_says_one_class_has_no_matthews_correlation() -> None:
    assert tasks.build("classification").scores(_predictions([0, 0], [0, 1], classes=2))["matthews"] == 0.0


@given(
    arrays(np.float32, (5, 3), elements=st.floats(-5, 5, width=32)),
    st.lists(st.integers(-1, 2), min_size=5, max_size=5),
)
def test_label_loss_is_the_mean_negative_log_probability_of_labelled_texts(
    logits: np.ndarray, labels: list[int]
) -> None:
    task = tasks.build("classification")
    targets = torch.tensor([int(task.missing_target) if label < 0 else label for label in labels])
    log_probabilities = logits - np.log(np.exp(logits.astype(np.float64)).sum(axis=1, keepdims=True))
    labelled = [row for row in range(5) if labels[row] >= 0]
    expected = -np.mean([log_probabilities[row, labels[row]] for row in labelled]) if labelled else 0.0
    assert float(task.label_loss(torch.tensor(logits), targets)) == pytest.approx(expected, abs=1e-5)


def test_targets_follow_the_order_of_the_classes() -> None:
    assert tasks.build("classification").targets(["b", "a", "b"], ["b", "a"]) == [0, 1, 0]


def test_head_names_the_classes_both_ways() -> None:
    head = tasks.build("classification").head(["no", "yes"])
    assert head["id2label"] == {0: "no", 1: "yes"}
    assert head["label2id"] == {"no": 0, "yes": 1}


def test_primary_metric_is_the_users_then_the_datasets_then_accuracy() -> None:
    task = tasks.build("classification")
    assert task.primary_metric("f1", "matthews") == "f1"
    assert task.primary_metric(None, "matthews") == "matthews"
    assert task.primary_metric(None, None) == "accuracy"
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        task.primary_metric("acuracy", None)
