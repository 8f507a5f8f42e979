"""Classes that come together."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distiller import tasks
from distiller.tasks import Predictions

TASK = tasks.build("multi-label-classification")
YES_AND_NO = arrays(np.int64, (9, 3), elements=st.integers(0, 1))


def _f1(hits: int, alarms: int, misses: int) -> float:
    return 2 * hits / (2 * hits + alarms + misses) if hits + alarms + misses else 0.0


@given(YES_AND_NO, YES_AND_NO)
def test_scores_are_those_counted_by_hand(guesses: np.ndarray, targets: np.ndarray) -> None:
    scores = TASK.scores(Predictions(np.where(guesses, 0.1, -3.0).astype(np.float32), targets.astype(np.float32)))
    counts = [
        [int(((guesses == guess) & (targets == target))[:, column].sum()) for guess, target in ((1, 1), (1, 0), (0, 1))]
        for column in range(3)
    ]
    assert scores["micro_f1"] == pytest.approx(_f1(*(sum(column) for column in zip(*counts, strict=True))))
    assert scores["macro_f1"] == pytest.approx(np.mean([_f1(*of_one) for of_one in counts]))
    assert scores["accuracy"] == pytest.approx((guesses == targets).all(axis=1).mean())


def test_of_one_class_yes_is_what_counts() -> None:
    logits, targets = np.full((20, 1), -1.0, dtype=np.float32), np.zeros((20, 1), dtype=np.float32)
    targets[0] = 1
    scores = TASK.scores(Predictions(logits, targets))
    assert scores == {"micro_f1": 0.0, "macro_f1": 0.0, "accuracy": 19 / 20}


def test_targets_say_yes_or_no_to_each_class() -> None:
    assert TASK.targets([("b",), (), ("a", "c")], ["a", "b", "c"]) == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]


@given(arrays(np.float64, (4, 3), elements=st.floats(-5, 5)))
def test_label_loss_is_the_mean_of_yes_or_no_over_labelled_texts(logits: np.ndarray) -> None:
    rows = [*TASK.targets([("b",), ("a", "c"), ()], ["a", "b", "c"]), TASK.missing(("text",), ["a", "b", "c"])]
    yes = 1 / (1 + np.exp(-logits[:3]))
    right = np.array(rows[:3])
    expected = -(right * np.log(yes) + (1 - right) * np.log(1 - yes)).mean()
    loss = TASK.label_loss(torch.tensor(logits), torch.tensor(rows))
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_where_nobody_has_labelled_anything_the_loss_is_0_and_flows() -> None:
    logits = torch.ones(2, 3, requires_grad=True)
    loss = TASK.label_loss(logits, torch.tensor([TASK.missing(("text",), ["a", "b", "c"])] * 2))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
