import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from textbrewer import losses as textbrewer

from conformance.losses import SEEDS, PredictionLossConformance, gradient, tensors
from distiller import UserError
from distiller.objectives import prediction_loss

TEMPERATURES = st.floats(0.5, 8)


class TestKL(PredictionLossConformance):
    options = {"type": "kl", "temperature": 3.0}


class TestCE(PredictionLossConformance):
    options = {"type": "ce", "temperature": 2.0}
    least = None


class TestMSE(PredictionLossConformance):
    options = {"type": "mse"}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@given(SEEDS, TEMPERATURES)
def test_kl_is_the_formula_of_hinton(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (_softmax(side.numpy() / temperature) for side in (teacher, student))
    expected = temperature**2 * (p * (np.log(p) - np.log(q))).sum(axis=-1).mean()
    assert float(prediction_loss("kl", temperature=temperature)(student, teacher)) == pytest.approx(expected, abs=1e-9)


@given(SEEDS)
def test_at_a_high_temperature_kl_is_half_the_square_of_centred_logits_over_classes(seed: int) -> None:
    """Hinton et al. 2015, section 2.1: matching logits is the limit, which only the factor T² keeps from vanishing."""
    student, teacher = tensors(seed, 7, 4)
    centred = (student - student.mean(dim=-1, keepdim=True)) - (teacher - teacher.mean(dim=-1, keepdim=True))
    limit = float(centred.square().mean(dim=-1).mean() / 2)
    assert float(prediction_loss("kl", temperature=1e4)(student, teacher)) == pytest.approx(limit, rel=1e-2)


@given(SEEDS, TEMPERATURES)
def test_kl_is_textbrewers_cross_entropy_less_entropy_times_the_square_of_the_temperature(
    seed: int, temperature: float
) -> None:
    student, teacher = tensors(seed, 7, 4)
    p = _softmax(teacher.numpy() / temperature)
    entropy = float(-(p * np.log(p)).sum(axis=-1).mean())

    def theirs(student: torch.Tensor, teacher: torch.Tensor, mask: None = None) -> torch.Tensor:
        return temperature**2 * (textbrewer.kd_ce_loss(student, teacher, temperature) - entropy)

    ours = prediction_loss("kl", temperature=temperature)
    assert float(ours(student, teacher)) == pytest.approx(float(theirs(student, teacher)), abs=1e-6)
    assert torch.allclose(gradient(ours, student, teacher), gradient(theirs, student, teacher), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("name", "peer"), [("ce", textbrewer.kd_ce_loss), ("mse", textbrewer.kd_mse_loss)])
@given(seed=SEEDS, temperature=TEMPERATURES)
def test_ce_and_mse_are_textbrewers(name: str, peer: object, seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 3, 6, 4)
    rows = torch.rand(3, 6, generator=torch.Generator().manual_seed(seed)) > 0.4
    rows[0, 0] = True

    def theirs(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return peer(student[mask], teacher[mask], temperature)  # type: ignore[operator]

    ours = prediction_loss(name, temperature=temperature)
    assert float(ours(student, teacher, rows)) == pytest.approx(float(theirs(student, teacher, rows)), abs=1e-6)
    slopes = gradient(ours, student, teacher, rows), gradient(theirs, student, teacher, rows)
    assert torch.allclose(*slopes, atol=1e-6, rtol=0)


def test_a_misspelt_loss_gets_the_near_name() -> None:
    with pytest.raises(UserError, match="prediction_loss: unknown type 'kll'; did you mean 'kl'"):
        prediction_loss("kll")
    with pytest.raises(UserError, match="temperature: Input should be greater than 0"):
        prediction_loss("kl", temperature=0)
