"""How far apart two models are, counted by hand."""

import numpy as np
import pytest

from distiller import UserError, tasks
from distiller.export.parity import compare, refuse_other
from distiller.tasks import Predictions

NOT_READ = float("nan")


def _said(*logits: list[float], **known: object) -> Predictions:
    return Predictions(np.array(logits, dtype=np.float32), np.zeros(len(logits)), **known)  # type: ignore[arg-type]


def test_one_class_a_text() -> None:
    parity = compare(_said([1, 2], [3, 1]), _said([1, 2.5], [1, 2]), tasks.build("classification"))
    assert (parity.max_difference, parity.mean_difference) == (2.0, 0.875)
    assert (parity.largest_logit, parity.agreement) == (3.0, 0.5)


def test_several_classes_agree_if_all_do() -> None:
    original, other = _said([1, -1], [1, 1], [-1, -1]), _said([2, -3], [1, -1], [-1, -2])
    assert compare(original, other, tasks.build("multi-label-classification")).agreement == pytest.approx(2 / 3)


def test_numbers_have_no_labels() -> None:
    assert compare(_said([0.5]), _said([0.25]), tasks.build("regression")).agreement is None


def test_words_that_are_not_read_do_not_count() -> None:
    classes = {"words": np.array([2, 1]), "classes": ["O", "B-x"]}
    original = _said([1, 2], [NOT_READ, NOT_READ], [4, 1], **classes)
    other = _said([1, 2], [NOT_READ, NOT_READ], [1, 4], **classes)
    parity = compare(original, other, tasks.build("token-classification"))
    assert (parity.max_difference, parity.mean_difference) == (3.0, 1.5)
    assert parity.agreement == pytest.approx(2 / 3)


@pytest.mark.parametrize(("logit", "apart", "is_refused"), [(0.5, 9e-5, False), (0.5, 2e-4, True), (40, 3e-3, False)])
def test_what_rounding_does_not_explain_is_refused(logit: float, apart: float, is_refused: bool) -> None:  # noqa: FBT001
    parity = compare(_said([logit, 0]), _said([logit + apart, 0]), tasks.build("classification"))
    if not is_refused:
        refuse_other(parity, "model")
        return
    with pytest.raises(UserError, match="from the original's"):
        refuse_other(parity, "model")
