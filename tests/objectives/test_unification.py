"""docs/theory.md: which bound on mutual information each of mse, cos, pkd and ce is, with numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from scipy.stats import entropy, multivariate_normal, vonmises_fisher
from torch import Tensor

from conformance.losses import SEEDS, gradient, tensors
from distiller.objectives import hidden_loss
from distiller.objectives.mutual_information import tuba

WIDTH = 5


def _features(seed: int) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """Of 6 texts with one position each, as states and as rows."""
    student, teacher = tensors(seed, 6, 1, WIDTH)
    return student, teacher, student[:, 0].numpy(), teacher[:, 0].numpy()


@given(SEEDS, st.floats(0.1, 10.0))
def test_mse_is_a_gaussian_critic(seed: int, variance: float) -> None:
    """The terms of the bound without H(Y), which no student changes."""
    student, teacher, x, y = _features(seed)
    log_q = np.mean(
        [multivariate_normal(row, variance * np.eye(WIDTH)).logpdf(other) for row, other in zip(x, y, strict=True)]
    )
    mse = float(hidden_loss("mse")(student, teacher))
    expected = -WIDTH / (2 * variance) * mse - WIDTH / 2 * np.log(2 * np.pi * variance)
    assert log_q == pytest.approx(expected, abs=1e-9)


@given(SEEDS, st.floats(0.5, 20.0))
def test_cos_and_pkd_are_a_von_mises_fisher_critic(seed: int, concentration: float) -> None:
    student, teacher, x, y = _features(seed)
    u, v = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    density = [vonmises_fisher(mean, concentration) for mean in u]
    log_q = np.mean([one.logpdf(other) for one, other in zip(density, v, strict=True)])
    log_normaliser = density[0].logpdf(u[0]) - concentration  # the density at its mean is C e^κ
    cos, pkd = (float(hidden_loss(name)(student, teacher)) for name in ("cos", "pkd"))
    assert log_q == pytest.approx(-concentration * cos + concentration + log_normaliser, abs=1e-9)
    assert log_q == pytest.approx(-concentration / 2 * pkd + concentration + log_normaliser, abs=1e-9)


@given(SEEDS)
def test_ce_bounds_what_is_known_of_a_channel_that_is_drawn_from_the_teacher(seed: int) -> None:
    """I(X; Z) over six texts that are all as likely, exactly; the bound is tight where the student agrees."""
    student, teacher, _, y = _features(seed)
    given_y = softmax(y, axis=1)
    information = entropy(given_y.mean(axis=0)) - np.mean([entropy(row) for row in given_y])
    of_z = entropy(given_y.mean(axis=0))
    assert of_z - float(hidden_loss("ce")(student, teacher)) <= information + 1e-9
    assert of_z - float(hidden_loss("ce")(teacher, teacher)) == pytest.approx(information, abs=1e-9)


@given(SEEDS)
def test_ce_is_the_expected_log_probability_of_that_channel(seed: int) -> None:
    student, teacher, x, y = _features(seed)
    log_q = np.mean([softmax(b) @ log_softmax(a) for a, b in zip(x, y, strict=True)])
    assert float(hidden_loss("ce")(student, teacher)) == pytest.approx(-log_q, abs=1e-9)


@given(SEEDS)
def test_students_are_pulled_the_same_way_by_the_loss_and_by_its_bound(seed: int) -> None:
    student, teacher, _, _ = _features(seed)

    def bound(states: Tensor, others: Tensor, mask: Tensor | None = None) -> Tensor:
        critic = torch.distributions.MultivariateNormal(states[:, 0], 2.0 * torch.eye(WIDTH).double())
        return -critic.log_prob(others[:, 0]).mean()

    slopes = gradient(hidden_loss("mse"), student, teacher), gradient(bound, student, teacher)
    assert torch.allclose(WIDTH / (2 * 2.0) * slopes[0], slopes[1])


def test_a_normalised_critic_makes_tuba_the_bound_of_barber_and_agakov() -> None:
    """x = y + noise in two dimensions, q the true conditional: both are the mutual information, log 2 here."""
    pairs, noise = 4000, 1.0
    generator = torch.Generator().manual_seed(0)
    y, error = torch.randn(2, pairs, 2, generator=generator, dtype=torch.float64)
    x = y + noise * error
    log_p = -y.square().sum(-1) / 2 - np.log(2 * np.pi)
    mean, variance = x / (1 + noise), noise / (1 + noise)  # of y given x
    log_q = -(mean[:, None] - y[None]).square().sum(-1) / (2 * variance) - np.log(2 * np.pi * variance)
    critic = log_q - log_p
    barber_agakov = critic.diagonal().mean()
    assert float(barber_agakov) == pytest.approx(np.log(2), abs=0.05)
    assert float(tuba(critic, torch.zeros(pairs).double())) == pytest.approx(float(barber_agakov), abs=0.01)
