from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from textbrewer import losses as textbrewer
from torch import Tensor

from conformance.losses import SEEDS, HiddenLossConformance, gradient, mask_of, tensors
from distiller import UserError
from distiller.objectives import hidden_loss


class TestMSE(HiddenLossConformance):
    options = {"type": "mse"}


class TestCos(HiddenLossConformance):
    options = {"type": "cos"}


class TestPKD(HiddenLossConformance):
    options = {"type": "pkd"}


class TestCE(HiddenLossConformance):
    options = {"type": "ce"}
    least = None


def _their_ce(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    return textbrewer.kd_ce_loss(student[mask.bool()], teacher[mask.bool()])


PEERS = {
    "mse": textbrewer.hid_mse_loss,
    "cos": textbrewer.cos_loss,
    "pkd": textbrewer.pkd_loss,
    "ce": _their_ce,
}


@pytest.mark.parametrize("name", PEERS)
@given(seed=SEEDS, batch=st.integers(1, 4), length=st.integers(1, 7), width=st.integers(2, 9))
def test_each_is_textbrewers_in_value_and_gradient(name: str, seed: int, batch: int, length: int, width: int) -> None:
    student, teacher = tensors(seed, batch, length, width)
    mask = mask_of(seed, batch, length)
    ours, theirs = hidden_loss(name), PEERS[name]
    assert float(ours(student, teacher, mask)) == pytest.approx(float(theirs(student, teacher, mask)), abs=1e-6)
    slopes = gradient(ours, student, teacher, mask), gradient(theirs, student, teacher, mask)
    assert torch.allclose(*slopes, atol=1e-6, rtol=0)


def _by_hand(formula: Callable[[np.ndarray, np.ndarray], float], seed: int) -> tuple[float, list[Tensor]]:
    """The mean of a formula over the valid positions, one by one."""
    student, teacher = tensors(seed, 3, 5, 4)
    mask = mask_of(seed, 3, 5)
    positions = [(text, position) for text in range(3) for position in range(5) if mask[text, position]]
    values = [formula(student[at].numpy(), teacher[at].numpy()) for at in positions]
    return float(np.mean(values)), [student, teacher, mask]


def _softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum()


FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "mse": lambda s, t: float(((s - t) ** 2).mean()),
    "cos": lambda s, t: float(1 - s @ t / np.sqrt((s @ s) * (t @ t))),
    "ce": lambda s, t: float(-(_softmax(t) * np.log(_softmax(s))).sum()),
}


@pytest.mark.parametrize("name", FORMULAS)
@given(seed=SEEDS)
def test_losses_on_tokens_are_the_mean_of_their_formula_over_valid_positions(name: str, seed: int) -> None:
    expected, inputs = _by_hand(FORMULAS[name], seed)
    assert float(hidden_loss(name)(*inputs)) == pytest.approx(expected, abs=1e-9)


@given(SEEDS)
def test_pkd_is_two_less_two_cosines_of_the_first_positions_whatever_the_lengths(seed: int) -> None:
    """‖a - b‖² = 2 - 2 cos for unit vectors; the teacher may have read more tokens."""
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 8, 4, count=1)
    s, t = student[:, 0].numpy(), teacher[:, 0].numpy()
    cosines = (s * t).sum(axis=1) / np.sqrt((s * s).sum(axis=1) * (t * t).sum(axis=1))
    value = hidden_loss("pkd")(student, teacher, mask_of(seed, 3, 5))
    assert float(value) == pytest.approx(float((2 - 2 * cosines).mean()), abs=1e-9)


def test_a_misspelt_loss_gets_the_near_name() -> None:
    with pytest.raises(UserError, match="hidden_loss: unknown type 'pdk'; did you mean 'pkd'"):
        hidden_loss("pdk")
