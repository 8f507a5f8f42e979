from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from textbrewer import losses as textbrewer
from torchdistill.losses import mid_level as torchdistill

from conformance.losses import SEEDS, PredictionLossConformance, gradient, tensors
from distiller import UserError
from distiller.objectives import ObjectiveConfig, check_compatible, prediction_loss
from distiller.schema import validated

TEMPERATURES = st.floats(0.5, 8)
WEIGHTS = st.floats(0, 10)
OF_DISTRIBUTIONS = ["dkd", "dist", "logit-standardised", "jsd", "reverse-kl"]


class TestKL(PredictionLossConformance):
    options = {"type": "kl", "temperature": 3.0}


class TestCE(PredictionLossConformance):
    options = {"type": "ce", "temperature": 2.0}
    least = None


class TestBCE(PredictionLossConformance):
    options = {"type": "bce", "temperature": 2.0}
    least = None


class TestMSE(PredictionLossConformance):
    options = {"type": "mse"}


class TestDKD(PredictionLossConformance):
    options = {"type": "dkd", "temperature": 2.0, "alpha": 0.5, "beta": 3.0}


class TestDIST(PredictionLossConformance):
    options = {"type": "dist", "temperature": 2.0, "beta": 2.0, "gamma": 0.5}


class TestLogitStandardised(PredictionLossConformance):
    options = {"type": "logit-standardised", "temperature": 3.0}


class TestJSD(PredictionLossConformance):
    options = {"type": "jsd", "temperature": 3.0}


class TestReverseKL(PredictionLossConformance):
    options = {"type": "reverse-kl", "temperature": 3.0}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@given(SEEDS, TEMPERATURES)
def test_kl_is_the_formula_of_hinton(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (_softmax(side.numpy() / temperature) for side in (teacher, student))
    expected = temperature**2 * (p * (np.log(p) - np.log(q))).sum(axis=-1).mean()
    assert float(prediction_loss("kl", temperature=temperature)(student, teacher)) == pytest.approx(expected, abs=1e-9)


@given(SEEDS, TEMPERATURES)
def test_bce_is_the_formula_of_each_class_by_itself(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (1 / (1 + np.exp(-side.numpy() / temperature)) for side in (teacher, student))
    expected = -(temperature**2) * (p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
    assert float(prediction_loss("bce", temperature=temperature)(student, teacher)) == pytest.approx(expected, abs=1e-9)


@given(SEEDS)
def test_bce_is_least_where_the_student_says_what_the_teacher_says(seed: int) -> None:
    student, teacher = tensors(seed, 7, 4)
    loss = prediction_loss("bce")
    assert float(loss(teacher, teacher)) < float(loss(student, teacher))
    assert gradient(loss, teacher, teacher).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["kl", "ce", *OF_DISTRIBUTIONS])
def test_where_classes_come_together_a_distribution_over_them_is_refused(name: str) -> None:
    config = validated(ObjectiveConfig, {"prediction": {"type": name}}, "objective")
    with pytest.raises(UserError, match=rf"objective\.prediction: {name} .* a text may have several; use bce or mse"):
        check_compatible(config, outputs=3, exclusive_classes=False, same_tokenizer=True)
    for fitting in ("bce", "mse"):
        config = validated(ObjectiveConfig, {"prediction": {"type": fitting}}, "objective")
        check_compatible(config, outputs=3, exclusive_classes=False, same_tokenizer=True)


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


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    return sum(float(a) * float(np.log(a) - np.log(b)) for a, b in zip(p, q, strict=True))


def _peer(kind: type[torch.nn.Module], **options: Any) -> Callable[..., torch.Tensor]:
    """A loss of torchdistill over the rows of a mask."""
    module = kind(".", "output", ".", "output", **options)

    def theirs(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return module({".": {"output": student[mask.bool()]}}, {".": {"output": teacher[mask.bool()]}})

    return theirs


def _assert_equal(
    ours: Callable[..., torch.Tensor], theirs: Callable[..., torch.Tensor], factor: float, seed: int
) -> None:
    student, teacher = tensors(seed, 3, 6, 4)
    rows = torch.rand(3, 6, generator=torch.Generator().manual_seed(seed)) > 0.4
    rows[0, :3] = True
    value = factor * float(theirs(student, teacher, rows))
    assert float(ours(student, teacher, rows)) == pytest.approx(value, abs=1e-6)
    slope = factor * gradient(theirs, student, teacher, rows)
    assert torch.allclose(gradient(ours, student, teacher, rows), slope, atol=1e-6, rtol=0)


@given(SEEDS, TEMPERATURES, WEIGHTS, WEIGHTS)
def test_dkd_is_the_formula_of_zhao_with_the_teachers_best_class_as_target(
    seed: int, temperature: float, alpha: float, beta: float
) -> None:
    student, teacher = tensors(seed, 7, 4)
    rows = []
    for s, t in zip(student.numpy(), teacher.numpy(), strict=True):
        target, p, q = int(t.argmax()), _softmax(t / temperature), _softmax(s / temperature)
        target_class = _kl(np.array([p[target], 1 - p[target]]), np.array([q[target], 1 - q[target]]))
        others = [np.delete(side, target) / (1 - side[target]) for side in (p, q)]
        rows.append(temperature**2 * (alpha * target_class + beta * _kl(*others)))
    loss = prediction_loss("dkd", temperature=temperature, alpha=alpha, beta=beta)
    assert float(loss(student, teacher)) == pytest.approx(np.mean(rows), rel=1e-9, abs=1e-9)


@given(SEEDS, TEMPERATURES)
def test_the_parts_of_dkd_make_up_kl_where_the_second_weighs_as_the_teachers_doubt(
    seed: int, temperature: float
) -> None:
    """Zhao et al. 2022, section 3.1: KD = TCKD + (1 - p_T(target)) NCKD."""
    student, teacher = tensors(seed, 1, 5)
    doubt = 1 - _softmax(teacher.numpy() / temperature).max()
    kl = prediction_loss("kl", temperature=temperature)
    dkd = prediction_loss("dkd", temperature=temperature, alpha=1, beta=doubt)
    assert float(dkd(student, teacher)) == pytest.approx(float(kl(student, teacher)), abs=1e-9)
    # The weight is the teacher's and constant, so the gradients are equal too.
    assert torch.allclose(gradient(dkd, student, teacher), gradient(kl, student, teacher), atol=1e-9, rtol=0)


@given(SEEDS, TEMPERATURES)
def test_of_two_classes_dkd_is_kl(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 2)
    dkd, kl = prediction_loss("dkd", temperature=temperature), prediction_loss("kl", temperature=temperature)
    assert float(dkd(student, teacher)) == pytest.approx(float(kl(student, teacher)), abs=1e-9)


@given(SEEDS, TEMPERATURES, WEIGHTS, WEIGHTS)
def test_dist_is_one_less_the_correlation_of_rows_and_of_columns(
    seed: int, temperature: float, beta: float, gamma: float
) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (_softmax(side.numpy() / temperature) for side in (teacher, student))
    inter = np.mean([1 - np.corrcoef(p[row], q[row])[0, 1] for row in range(7)])
    intra = np.mean([1 - np.corrcoef(p[:, column], q[:, column])[0, 1] for column in range(4)])
    expected = temperature**2 * (beta * inter + gamma * intra)
    loss = prediction_loss("dist", temperature=temperature, beta=beta, gamma=gamma)
    assert float(loss(student, teacher)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(SEEDS, TEMPERATURES, WEIGHTS, WEIGHTS)
def test_dist_is_torchdistills(seed: int, temperature: float, beta: float, gamma: float) -> None:
    ours = prediction_loss("dist", temperature=temperature, beta=beta, gamma=gamma)
    _assert_equal(ours, _peer(torchdistill.DISTLoss, tau=temperature, beta=beta, gamma=gamma), 1.0, seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_where_the_teacher_does_not_vary_dist_adds_nothing(rows: int, dtype: torch.dtype) -> None:
    """Also where the mean of equal numbers is not quite their own value."""
    student, _ = (side.to(dtype) for side in tensors(0, rows, 5))
    teacher = torch.tensor([0.3, -0.7, 1.1, 0.2, 2.0], dtype=dtype).expand(rows, 5)
    intra = prediction_loss("dist", beta=0)
    assert float(intra(student, teacher)) == 0
    assert gradient(intra, student, teacher).abs().sum() == 0
    inter, teacher = prediction_loss("dist", gamma=0), torch.full_like(student, 0.3)
    assert float(inter(student, teacher)) == 0
    assert gradient(inter, student, teacher).abs().sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{"beta": 0}, {"gamma": 0}])
def test_where_the_student_alone_does_not_vary_dist_is_one_and_its_gradient_leads_to_the_teacher(
    options: dict[str, int], dtype: torch.dtype
) -> None:
    student, teacher = torch.full((3, 5), 0.3, dtype=dtype), tensors(0, 3, 5)[0].to(dtype)
    loss = prediction_loss("dist", **options)
    assert float(loss(student, teacher)) == pytest.approx(1, abs=1e-6)
    slope = gradient(loss, student, teacher)
    assert torch.isfinite(slope).all()
    step = student - 0.1 * slope / slope.abs().max()
    assert float(loss(step, teacher)) < 0.2


def test_dist_looks_at_improbable_classes_too() -> None:
    """Pearson's correlation has no scale: an epsilon beside the deviations would hide what is below it."""
    teacher = torch.tensor([[9.0, -30.0, 0.0], [8.0, -31.0, 0.5], [9.5, -29.0, 0.2]])
    loss = prediction_loss("dist", beta=0)
    assert float(loss(teacher, teacher)) == pytest.approx(0, abs=1e-6)
    student = teacher.clone()
    student[:, 1] = student[[1, 0, 2], 1]
    p, q = (_softmax(side.double().numpy()) for side in (teacher, student))
    expected = np.mean([1 - np.corrcoef(p[:, column], q[:, column])[0, 1] for column in range(3)])
    assert float(loss(student, teacher)) == pytest.approx(expected, rel=1e-3)


@given(SEEDS, TEMPERATURES)
def test_logit_standardised_is_kl_of_z_scores(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    rows = []
    for s, t in zip(student.numpy(), teacher.numpy(), strict=True):
        q, p = (_softmax((side - side.mean()) / (side.std(ddof=1) + 1e-7) / temperature) for side in (s, t))
        rows.append(temperature**2 * _kl(p, q))
    loss = prediction_loss("logit-standardised", temperature=temperature)
    assert float(loss(student, teacher)) == pytest.approx(np.mean(rows), abs=1e-9)


@given(SEEDS, TEMPERATURES)
def test_logit_standardised_is_torchdistills_times_the_square_of_the_temperature(seed: int, temperature: float) -> None:
    theirs = _peer(torchdistill.LogitStdKDLoss, temperature=temperature, beta=1.0)
    _assert_equal(prediction_loss("logit-standardised", temperature=temperature), theirs, temperature**2, seed)


@given(SEEDS, st.floats(0.1, 10), st.floats(-10, 10))
def test_to_logit_standardised_neither_scale_nor_offset_of_the_student_matters(
    seed: int, scale: float, offset: float
) -> None:
    student, teacher = tensors(seed, 7, 4)
    loss = prediction_loss("logit-standardised")
    assert torch.allclose(loss(scale * student + offset, teacher), loss(student, teacher), atol=1e-5)


def test_of_two_classes_logit_standardised_sees_only_which_is_the_greater() -> None:
    student, teacher = torch.tensor([[0.1, 0.2], [3.0, -9.0]]), torch.tensor([[-4.0, 4.0], [0.5, 0.4]])
    loss = prediction_loss("logit-standardised")
    assert float(loss(student, teacher)) == pytest.approx(0, abs=1e-6)
    assert gradient(loss, -student, teacher).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_logits_are_standardised_to_zero(dtype: torch.dtype) -> None:
    student, teacher = torch.full((2, 7), 5.3, dtype=dtype), tensors(0, 2, 7)[0].to(dtype)
    loss = prediction_loss("logit-standardised", temperature=1.0)
    z = (teacher - teacher.mean(dim=-1, keepdim=True)) / teacher.std(dim=-1, keepdim=True)
    p = _softmax(z.numpy())
    assert float(loss(student, teacher)) == pytest.approx(np.mean([_kl(row, np.full(7, 1 / 7)) for row in p]), rel=1e-5)
    assert torch.isfinite(gradient(loss, student, teacher)).all()


@given(SEEDS, TEMPERATURES)
def test_jsd_is_the_square_of_scipys_distance(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (_softmax(side.numpy() / temperature) for side in (teacher, student))
    expected = temperature**2 * (jensenshannon(p, q, axis=-1) ** 2).mean()
    loss = prediction_loss("jsd", temperature=temperature)
    assert float(loss(student, teacher)) == pytest.approx(expected, abs=1e-9)
    assert float(loss(teacher, student)) == pytest.approx(expected, abs=1e-9)


@given(SEEDS, TEMPERATURES)
def test_jsd_is_the_mean_divergence_from_the_middle(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (_softmax(side.numpy() / temperature) for side in (teacher, student))
    rows = [(_kl(a, (a + b) / 2) + _kl(b, (a + b) / 2)) / 2 for a, b in zip(p, q, strict=True)]
    loss = prediction_loss("jsd", temperature=temperature)
    assert float(loss(student, teacher)) == pytest.approx(temperature**2 * np.mean(rows), abs=1e-9)


@given(SEEDS, TEMPERATURES)
def test_reverse_kl_is_the_formula(seed: int, temperature: float) -> None:
    student, teacher = tensors(seed, 7, 4)
    p, q = (_softmax(side.numpy() / temperature) for side in (teacher, student))
    expected = temperature**2 * np.mean([_kl(b, a) for a, b in zip(p, q, strict=True)])
    loss = prediction_loss("reverse-kl", temperature=temperature)
    assert float(loss(student, teacher)) == pytest.approx(expected, abs=1e-9)


@given(SEEDS, TEMPERATURES)
def test_reverse_kl_is_torchdistills_kd_with_its_sides_swapped(seed: int, temperature: float) -> None:
    forward = _peer(torchdistill.KDLoss, temperature=temperature, beta=1.0)

    def swapped(student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return forward(teacher, student, mask)

    _assert_equal(prediction_loss("reverse-kl", temperature=temperature), swapped, temperature**2, seed)
    _assert_equal(prediction_loss("kl", temperature=temperature), forward, temperature**2, seed)


@pytest.mark.parametrize("name", OF_DISTRIBUTIONS)
@pytest.mark.parametrize("size", [80.0, 1e4])
def test_extreme_logits_in_float32_leave_value_and_gradient_finite(name: str, size: float) -> None:
    student = size * torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]])
    teacher = size * torch.tensor([[-1.0, 1.0, 0.0], [1.0, -1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0]])
    loss = prediction_loss(name, temperature=1.0)
    assert torch.isfinite(loss(student, teacher))
    assert torch.isfinite(gradient(loss, student, teacher)).all()
    assert gradient(loss, teacher, teacher).abs().max() < 1e-5


# dkd: the student gives the target e^-160; of the two others the teacher takes the one to which it gives e^-80.
@pytest.mark.parametrize(("name", "expected"), [("dkd", 160 + 8 * 80), ("jsd", np.log(2)), ("reverse-kl", 160)])
def test_opposite_certainties_cost_what_a_pencil_says(name: str, expected: float) -> None:
    student, teacher = torch.tensor([[80.0, -80.0, 0.0]]), torch.tensor([[-80.0, 80.0, 0.0]])
    assert float(prediction_loss(name, temperature=1.0)(student, teacher)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["dkd", "logit-standardised"])
def test_one_class_has_nothing_to_compare(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} .* one class has none|{name} .* two classes or more"):
        prediction_loss(name)(torch.zeros(3, 1), torch.zeros(3, 1))


@pytest.mark.parametrize("name", OF_DISTRIBUTIONS)
def test_a_student_of_one_output_is_refused_and_of_two_is_not(name: str) -> None:
    config = validated(ObjectiveConfig, {"prediction": {"type": name}}, "objective")
    with pytest.raises(UserError, match=rf"objective\.prediction: {name} compares distributions.*use mse"):
        check_compatible(config, outputs=1, exclusive_classes=True, same_tokenizer=True)
    check_compatible(config, outputs=2, exclusive_classes=True, same_tokenizer=True)


def test_a_misspelt_loss_gets_the_near_name() -> None:
    with pytest.raises(UserError, match="prediction_loss: unknown type 'kll'; did you mean 'kl'"):
        prediction_loss("kll")
    with pytest.raises(UserError, match="temperature: Input should be greater than 0"):
        prediction_loss("kl", temperature=0)
