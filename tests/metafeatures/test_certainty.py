"""How sure a model is: by hand, for each kind of task."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller import tasks
from distiller.metafeatures import of_predictions
from distiller.tasks import Predictions

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]], dtype=np.float32)


def _predictions(logits: Any, **further: Any) -> Predictions:
    return Predictions(np.asarray(logits, dtype=np.float32), np.zeros(len(logits)), **further)


def _of(logits: Any) -> tuple[float, float]:
    """Largest probability and entropy, as a share of the largest there is, of one decision."""
    weights = [np.exp(float(logit)) for logit in logits]
    shares = [weight / sum(weights) for weight in weights]
    return max(shares), -sum(share * np.log(share) for share in shares) / np.log(len(shares))


def _mean(decisions: list[Any]) -> dict[str, Any]:
    sure, entropy = zip(*map(_of, decisions), strict=True)
    return {"confidence": pytest.approx(np.mean(sure)), "entropy": pytest.approx(np.mean(entropy))}


def test_of_classes() -> None:
    task = tasks.build("classification")
    assert of_predictions(_predictions(LOGITS), task) == _mean([*LOGITS])
    assert _of(LOGITS[1]) == pytest.approx((1 / 3, 1))


def test_of_several_classes_each_is_a_yes_or_no() -> None:
    found = of_predictions(_predictions(LOGITS), tasks.build("multi-label-classification"))
    assert found == _mean([(logit, 0) for logit in LOGITS.ravel()])


def test_of_words_those_count_that_were_read() -> None:
    unread = np.vstack([LOGITS[:1], np.full((1, 3), np.nan), LOGITS[1:]])
    found = of_predictions(_predictions(unread, words=np.array([2, 1])), tasks.build("token-classification"))
    assert found == _mean([*LOGITS])


def test_of_answers_it_is_where_they_begin() -> None:
    begins = [1.0, 3.0, np.nan, 0.0, 2.0, 2.0, 0.5]
    logits = np.stack([begins, np.arange(7)], axis=1)
    found = of_predictions(_predictions(logits, words=np.array([4, 2, 1])), tasks.build("question-answering"))
    sure, entropy = zip(_of([1, 3, 0]), _of([2, 2]), (1, 0), strict=True)  # one place alone is certain
    assert found == {"confidence": pytest.approx(np.mean(sure)), "entropy": pytest.approx(np.mean(entropy))}


def test_of_numbers_there_is_none() -> None:
    found = of_predictions(_predictions([[0.3], [2.0]]), tasks.build("regression"))
    assert found == {"confidence": None, "entropy": None}


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1))
def test_both_are_shares_however_sure_it_is(logits: list[list[float]]) -> None:
    found = of_predictions(_predictions(logits), tasks.build("classification"))
    assert found["confidence"] is not None
    assert found["entropy"] is not None
    assert 1 / 3 - 1e-9 <= found["confidence"] <= 1 + 1e-9
    assert -1e-9 <= found["entropy"] <= 1 + 1e-9
