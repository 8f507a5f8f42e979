"""The bounds against their formulas in loops, and against Gaussians whose mutual information is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distiller.objectives.mutual_information import infonce, interpolated, nwj, tuba

SEEDS = st.integers(0, 2**31)
PAIRS = st.integers(2, 8)
SHAPES = st.tuples(st.integers(1, 8), st.integers(0, 6)).filter(lambda shape: sum(shape) >= 2)
"""K true pairs, N further rows."""
ALPHAS = (0.0, 0.1, 0.5, 0.9, 1.0)


def drawn(seed: int, pairs: int, further: int = 0, spread: float = 3.0) -> tuple[Tensor, Tensor]:
    """Scores [K + N, K] and a log-baseline [K]."""
    generator = np.random.default_rng(seed)
    scores, baseline = generator.normal(size=(pairs + further, pairs)), generator.normal(size=pairs)
    return torch.from_numpy(spread * scores), torch.from_numpy(spread * baseline)


def infonce_by_hand(scores: np.ndarray) -> float:
    (rows, pairs), total = scores.shape, 0.0
    for j in range(pairs):
        mean = sum(math.exp(scores[i, j]) for i in range(rows)) / rows
        total += math.log(math.exp(scores[j, j]) / mean)
    return total / pairs


def interpolated_by_hand(scores: np.ndarray, log_baseline: np.ndarray, alpha: float) -> float:
    """Poole et al. 2019, eq. 14, as sums over everything that may be drawn."""
    rows, pairs = scores.shape

    def baseline_of(y: int, without: int) -> float:
        others = [math.exp(scores[x, y]) for x in range(rows) if x != without]
        return alpha * sum(others) / len(others) + (1 - alpha) * math.exp(log_baseline[y])

    joint = marginal = 0.0
    for y in range(pairs):
        for i in range(rows):
            if i != y:
                joint += math.log(math.exp(scores[y, y]) / baseline_of(y, without=i))
                marginal += math.exp(scores[i, y]) / baseline_of(y, without=y)
    return 1 + joint / (pairs * (rows - 1)) - marginal / (pairs * (rows - 1))


def tuba_by_hand(scores: np.ndarray, log_baseline: np.ndarray) -> float:
    rows, pairs = scores.shape
    joint = sum(scores[j, j] - log_baseline[j] for j in range(pairs)) / pairs
    marginal = [math.exp(scores[i, j]) / math.exp(log_baseline[j]) for i in range(rows) for j in range(pairs) if i != j]
    return 1 + joint - sum(marginal) / len(marginal)


@given(SEEDS, SHAPES)
def test_infonce_is_its_formula(seed: int, shape: tuple[int, int]) -> None:
    scores, _ = drawn(seed, *shape)
    assert float(infonce(scores)) == pytest.approx(infonce_by_hand(scores.numpy()), abs=1e-6)


@given(SEEDS, SHAPES)
def test_tuba_and_nwj_are_their_formulas(seed: int, shape: tuple[int, int]) -> None:
    scores, baseline = drawn(seed, *shape)
    expected = tuba_by_hand(scores.numpy(), baseline.numpy())
    assert float(tuba(scores, baseline)) == pytest.approx(expected, abs=1e-6, rel=1e-9)
    expected = tuba_by_hand(scores.numpy(), np.ones(len(baseline)))
    assert float(nwj(scores)) == pytest.approx(expected, abs=1e-6, rel=1e-9)


@pytest.mark.parametrize("alpha", ALPHAS)
@given(seed=SEEDS, shape=SHAPES)
def test_interpolated_is_its_formula(alpha: float, seed: int, shape: tuple[int, int]) -> None:
    scores, baseline = drawn(seed, *shape)
    expected = interpolated_by_hand(scores.numpy(), baseline.numpy(), alpha)
    assert float(interpolated(scores, baseline, alpha)) == pytest.approx(expected, abs=1e-6, rel=1e-9)


@given(SEEDS, SHAPES)
def test_the_ends_of_interpolated_are_tuba_and_a_bound_without_baseline(seed: int, shape: tuple[int, int]) -> None:
    scores, baseline = drawn(seed, *shape)
    torch.testing.assert_close(interpolated(scores, baseline, 0.0), tuba(scores, baseline))
    torch.testing.assert_close(interpolated(scores, baseline, 1.0), interpolated(scores, baseline - 5, 1.0))


@given(SEEDS, SHAPES, st.floats(0.1, 30.0), st.floats(0.01, 0.99))
def test_no_scores_show_more_than_the_number_of_rows_allows(
    seed: int, shape: tuple[int, int], spread: float, alpha: float
) -> None:
    scores, baseline = drawn(seed, *shape, spread=spread)
    scores = scores + spread * torch.eye(*scores.shape, dtype=torch.float64)
    rows = sum(shape)
    assert float(infonce(scores)) <= math.log(rows) + 1e-12
    assert float(interpolated(scores, baseline, 1.0)) <= math.log(rows - 1) + 1e-9
    assert float(interpolated(scores, baseline, alpha)) <= 1 + math.log((rows - 1) / alpha) + 1e-9


@given(SHAPES, st.floats(0.01, 0.99))
def test_a_critic_that_is_sure_of_the_true_pairs_shows_that_much(shape: tuple[int, int], alpha: float) -> None:
    pairs, rows = shape[0], sum(shape)
    sure = 80 * torch.eye(rows, pairs, dtype=torch.float64) - 40
    nothing = torch.zeros(pairs, dtype=torch.float64)
    assert float(infonce(sure)) == pytest.approx(math.log(rows), abs=1e-9)
    assert float(interpolated(sure, nothing, 1.0)) == pytest.approx(math.log(rows - 1), abs=1e-9)
    assert float(interpolated(sure, nothing, alpha)) == pytest.approx(1 + math.log((rows - 1) / alpha), abs=1e-9)


def test_negatives_are_student_features_so_that_scores_transposed_are_another_question() -> None:
    scores, baseline = drawn(0, 5)
    for bound in (infonce, lambda s: interpolated(s, baseline, 0.5), lambda s: interpolated(s, baseline, 1.0)):
        assert abs(float(bound(scores) - bound(scores.T))) > 1e-3
    torch.testing.assert_close(nwj(scores), nwj(scores.T))  # its baseline is a constant: nothing has a direction


@given(SEEDS, PAIRS)
def test_what_y_alone_adds_to_a_score_is_no_information(seed: int, pairs: int) -> None:
    scores, baseline = drawn(seed, pairs)
    shift = torch.linspace(-2, 2, pairs, dtype=torch.float64)
    torch.testing.assert_close(infonce(scores + shift), infonce(scores))
    torch.testing.assert_close(interpolated(scores + shift, baseline, 1.0), interpolated(scores, baseline, 1.0))
    moved = interpolated(scores + shift, baseline + shift, 0.4)
    torch.testing.assert_close(moved, interpolated(scores, baseline, 0.4))


BOUNDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "infonce": lambda scores, _: infonce(scores),
    "nwj": lambda scores, _: nwj(scores),
    "tuba": tuba,
    **{f"interpolated {alpha}": lambda s, b, alpha=alpha: interpolated(s, b, alpha) for alpha in ALPHAS},
}


@pytest.mark.parametrize("bound", BOUNDS)
@given(seed=SEEDS, shape=SHAPES)
def test_the_order_of_further_rows_does_not_matter(bound: str, seed: int, shape: tuple[int, int]) -> None:
    scores, baseline = drawn(seed, *shape)
    pairs, further = shape
    order = torch.randperm(further, generator=torch.Generator().manual_seed(seed))
    shuffled = torch.cat([scores[:pairs], scores[pairs:][order]])
    torch.testing.assert_close(BOUNDS[bound](shuffled, baseline), BOUNDS[bound](scores, baseline))


@pytest.mark.parametrize("bound", BOUNDS)
@given(seed=SEEDS, shape=SHAPES)
def test_extreme_scores_give_finite_values_and_gradients_in_float32(
    bound: str, seed: int, shape: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    pairs = shape[0]
    scores = 160 * torch.rand(sum(shape), pairs, generator=generator).round() - 80
    baseline = 160 * torch.rand(pairs, generator=generator).round() - 80
    scores.requires_grad_()
    baseline.requires_grad_()
    value = BOUNDS[bound](scores, baseline)
    value.backward()
    assert torch.isfinite(value)
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert baseline.grad is None or torch.isfinite(baseline.grad).all()


@pytest.mark.parametrize("bound", BOUNDS)
@given(seed=SEEDS, shape=SHAPES)
def test_the_gradient_is_that_of_finite_differences(bound: str, seed: int, shape: tuple[int, int]) -> None:
    scores, baseline = (side.requires_grad_() for side in drawn(seed, *shape, spread=1.0))
    assert torch.autograd.gradcheck(BOUNDS[bound], (scores, baseline))


@pytest.mark.parametrize("bound", BOUNDS)
def test_thousands_of_further_rows_in_float32_give_what_they_give_in_float64(bound: str) -> None:
    exact = [side.requires_grad_() for side in drawn(0, 32, further=4096, spread=2.0)]
    rounded = [side.detach().float().requires_grad_() for side in exact]
    values = [BOUNDS[bound](*sides) for sides in (exact, rounded)]
    for value in values:
        value.backward()
    torch.testing.assert_close(values[1].double(), values[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rounded[0].grad.double(), exact[0].grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("bound", BOUNDS)
def test_what_has_no_bound_is_refused(bound: str) -> None:
    with pytest.raises(ValueError, match="K of 2 or more"):
        BOUNDS[bound](torch.zeros(1, 1), torch.zeros(1))
    with pytest.raises(ValueError, match="not one for each x with each y"):
        BOUNDS[bound](torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="are of no pair"):
        BOUNDS[bound](torch.zeros(5, 0), torch.zeros(0))


def test_a_baseline_that_does_not_fit_and_an_alpha_outside_of_its_range_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit scores"):
        tuba(torch.zeros(3, 3), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="does not fit scores"):
        tuba(torch.zeros(5, 3), torch.zeros(5))
    with pytest.raises(ValueError, match="does not fit scores"):
        interpolated(torch.zeros(3, 3), torch.zeros(2), 0.5)
    for alpha in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="is no probability"):
            interpolated(torch.zeros(3, 3), torch.zeros(3), alpha)


DIMENSIONS, PER_BATCH, REPEATS = 20, 64, 500


def estimates(
    nats: float, seed: int, pairs: int = PER_BATCH, further: int = 0, repeats: int = REPEATS
) -> dict[str, np.ndarray]:
    """Of each bound with the optimal critic log p(x|y)/p(x), of correlated Gaussians of that mutual information."""
    correlation = math.sqrt(1 - math.exp(-2 * nats / DIMENSIONS))
    generator = torch.Generator().manual_seed(seed)
    gathered: dict[str, list[float]] = {name: [] for name in BOUNDS}
    for _ in range(repeats):
        x, noise = torch.randn(2, pairs, DIMENSIONS, generator=generator, dtype=torch.float64)
        y = correlation * x + math.sqrt(1 - correlation**2) * noise
        x = torch.cat([x, torch.randn(further, DIMENSIONS, generator=generator, dtype=torch.float64)])
        given_y = (x[:, None] - correlation * y[None]).square().sum(-1) / (1 - correlation**2)
        ratio = (x.square().sum(-1)[:, None] - given_y) / 2 - DIMENSIONS / 2 * math.log(1 - correlation**2)
        for name, bound in BOUNDS.items():
            scores = ratio + 1 if name == "nwj" else ratio
            gathered[name].append(float(bound(scores, torch.zeros(pairs, dtype=torch.float64))))
    return {name: np.array(values) for name, values in gathered.items()}


@pytest.mark.parametrize("nats", [2, 4, 6, 8, 10])
def test_on_gaussians_of_known_mutual_information_bias_and_variance_are_those_of_the_theory(nats: float) -> None:
    """The optimal critic and a(y) = 1, its own optimal baseline; no training."""
    found = estimates(nats, seed=nats)
    mean, spread = ({name: float(f(values)) for name, values in found.items()} for f in (np.mean, np.std))
    assert found["infonce"].max() <= math.log(PER_BATCH)
    assert mean["nwj"] == pytest.approx(nats, rel=0.05)
    from_tuba_to_infonce = [f"interpolated {alpha}" for alpha in ALPHAS]
    means, spreads = ([of[name] for name in from_tuba_to_infonce] for of in (mean, spread))
    assert means == sorted(means, reverse=True)
    assert spreads == sorted(spreads, reverse=True)
    assert mean["infonce"] < mean["interpolated 0.5"] < mean["nwj"]
    assert spread["infonce"] < spread["interpolated 0.5"] < spread["nwj"]
    assert spread["infonce"] <= 1.05 * min(spread.values())


@pytest.mark.parametrize("nats", [2, 4, 6])
def test_on_gaussians_of_known_mutual_information_further_rows_leave_each_bound_valid(nats: float) -> None:
    for name, found in estimates(nats, seed=nats, pairs=32, further=1024, repeats=50).items():
        error = float(found.std()) / math.sqrt(len(found))
        assert float(found.mean()) <= nats + 3 * error, name


def test_further_rows_lift_what_a_small_batch_can_show_above_the_log_of_its_size() -> None:
    """The optimal critic, 32 pairs, 6 nats: log 32 is 3.47."""
    of_batch, of_more = (estimates(6, seed=0, pairs=32, further=n, repeats=50) for n in (0, 1024))
    assert of_batch["infonce"].max() <= math.log(32)
    assert of_batch["infonce"].mean() == pytest.approx(3.2, abs=0.15)
    assert 5 < of_more["infonce"].mean() < 6
    for name in ("interpolated 0.5", "interpolated 0.9", "interpolated 1.0"):
        assert of_batch[name].mean() < of_more[name].mean() < 6
