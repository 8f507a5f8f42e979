"""Losses on the relations of texts and positions, and of channels."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from textbrewer import losses as textbrewer
from torch import Tensor
from torchdistill.losses import mid_level as torchdistill

from by_hand import BATCHES, LENGTHS, WIDTHS, assert_equal, scattered, valid_positions
from conformance.losses import SEEDS, AnyWidth, HiddenLossConformance, gradient, mask_of, tensors
from distiller import UserError
from distiller.objectives import hidden_loss


class TestCKA(AnyWidth, HiddenLossConformance):
    options = {"type": "cka"}


class TestCKAOfFirstPositions(AnyWidth, HiddenLossConformance):
    options = {"type": "cka", "feature": "cls"}


class TestCKAOfTokens(AnyWidth, HiddenLossConformance):
    options = {"type": "cka", "feature": "tokens"}


class TestRKD(AnyWidth, HiddenLossConformance):
    options = {"type": "rkd"}


class TestRKDOfMeans(AnyWidth, HiddenLossConformance):
    options = {"type": "rkd", "feature": "mean", "distance": 0.5, "angle": 1.0}


class TestGram(HiddenLossConformance):
    options = {"type": "gram"}


class TestNST(AnyWidth, HiddenLossConformance):
    options = {"type": "nst"}


def _cka(x: np.ndarray, y: np.ndarray) -> float:
    """By the similarities of rows: the correlation of centred kernels, HSIC of Gretton et al. 2005."""
    centre = np.eye(len(x)) - np.ones((len(x), len(x))) / len(x)
    k, kernel = (centre @ side @ side.T @ centre for side in (x, y))
    return float(np.trace(k @ kernel) / math.sqrt(np.trace(k @ k) * np.trace(kernel @ kernel)))


@given(SEEDS)
def test_cka_is_the_correlation_of_centred_similarities_of_what_counts(seed: int) -> None:
    (student,), (teacher,) = tensors(seed, 6, 5, 4, count=1), tensors(seed + 1, 6, 5, 7, count=1)
    mask = mask_of(seed, 6, 5)
    mask[3] = 0
    texts = [(text, positions) for text, positions in valid_positions(mask) if positions]
    rows: dict[str, list[list[np.ndarray]]] = {
        "cls": [[side[text, 0].numpy() for text, _ in texts] for side in (student, teacher)],
        "mean": [
            [side[text, positions].mean(dim=0).numpy() for text, positions in texts] for side in (student, teacher)
        ],
        "tokens": [
            [side[text, position].numpy() for text, positions in texts for position in positions]
            for side in (student, teacher)
        ],
    }
    for feature, (x, y) in rows.items():
        value = float(hidden_loss("cka", feature=feature)(student, teacher, mask))
        assert value == pytest.approx(1 - _cka(np.array(x), np.array(y)), abs=1e-9)


@given(SEEDS, st.floats(0.01, 100))
def test_cka_does_not_mind_rotation_scale_and_shift(seed: int, scale: float) -> None:
    student, teacher = tensors(seed, 6, 1, 4)
    rotation, _ = torch.linalg.qr(tensors(seed + 1, 4, 4, count=1)[0])
    loss = hidden_loss("cka")
    turned = scale * student @ rotation + 3.0
    assert torch.allclose(loss(turned, teacher), loss(student, teacher), atol=1e-9)
    assert float(loss(scale * teacher @ rotation, teacher)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_where_a_side_does_not_vary_cka_has_no_gradient(rows: int, dtype: torch.dtype) -> None:
    """Also where the mean of equal rows is not quite one of them: 0 if it is the teacher's, 1 if only the student's."""
    loss = hidden_loss("cka")
    varied, same = tensors(0, rows, 1, 5, count=1)[0].to(dtype), torch.full((rows, 1, 5), 0.3, dtype=dtype)
    for student, teacher, expected in ((varied, same, 0.0), (same, same, 0.0), (same, varied, float(rows > 1))):
        assert float(loss(student, teacher)) == expected
        assert gradient(loss, student, teacher).abs().sum() == 0


@given(SEEDS)
def test_of_two_texts_cka_says_nothing(seed: int) -> None:
    student, teacher = tensors(seed, 2, 1, 5)
    assert float(hidden_loss("cka")(student, teacher)) == pytest.approx(0.0, abs=1e-9)
    assert gradient(hidden_loss("cka"), student, teacher).abs().max() < 1e-6


def _their_rkd(distance: float, angle: float) -> Callable[..., Tensor]:
    module = torchdistill.RKDLoss(".", ".", distance, angle, "mean")

    def theirs(student: Tensor, teacher: Tensor, mask: None = None) -> Tensor:
        return module({".": {"output": student}}, {".": {"output": teacher}})

    return theirs


@given(SEEDS, st.integers(2, 6), WIDTHS, st.floats(0.1, 3), st.floats(0.1, 3))
def test_rkd_is_torchdistills(seed: int, batch: int, width: int, distance: float, angle: float) -> None:
    student, teacher = tensors(seed, batch, 1, width)
    ours = hidden_loss("rkd", distance=distance, angle=angle)
    assert_equal(ours, _their_rkd(distance, angle), student, teacher)


def _huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


@given(SEEDS, st.sampled_from(["cls", "mean"]))
def test_rkd_is_the_huber_loss_of_distances_and_of_angles_of_texts_that_count(seed: int, feature: str) -> None:
    (student,), (teacher,) = tensors(seed, 5, 4, 3, count=1), tensors(seed + 1, 5, 4, 6, count=1)
    mask = mask_of(seed, 5, 4)
    mask[2] = 0
    sides = [
        [
            (side[text, 0] if feature == "cls" else side[text, at].mean(dim=0)).numpy()
            for text, at in valid_positions(mask)
            if at
        ]
        for side in (student, teacher)
    ]
    every = range(4)
    distances = [[[float(np.linalg.norm(a - b)) for b in side] for a in side] for side in sides]
    means = [sum(map(sum, side)) / 12 for side in distances]

    def cosine(side: list[np.ndarray], at: int, one: int, other: int) -> float:
        if at in (one, other):
            return 0.0
        first, second = side[one] - side[at], side[other] - side[at]
        return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))

    pairs = [_huber(distances[0][a][b] / means[0] - distances[1][a][b] / means[1]) for a in every for b in every]
    triplets = [
        _huber(cosine(sides[0], a, b, c) - cosine(sides[1], a, b, c)) for a in every for b in every for c in every
    ]
    value = float(hidden_loss("rkd", feature=feature)(student, teacher, mask))
    assert value == pytest.approx(np.mean(pairs) + 2 * np.mean(triplets), abs=1e-9)


def test_texts_that_are_the_same_and_too_few_of_them_give_rkd_no_gradient_that_is_no_number() -> None:
    """Where torchdistill gives NaN."""
    student, teacher = tensors(0, 4, 1, 5)
    loss = hidden_loss("rkd")
    assert torch.isnan(_their_rkd(1.0, 2.0)(student[:1], teacher[:1]))
    for batch in (1, 2):
        assert float(loss(student[:batch], teacher[:batch])) == pytest.approx(0.0, abs=1e-12)
        assert gradient(loss, student[:batch], teacher[:batch]).abs().max() < 1e-12
    twins = student[[0, 0, 1, 2]]
    for one, other in ((twins, teacher), (twins, twins), (student, twins), (student[[0, 0, 0, 0]], teacher)):
        assert torch.isfinite(loss(one, other))
        assert torch.isfinite(gradient(loss, one, other)).all()
        assert gradient(loss, one, other).abs().max() < 10


@given(SEEDS)
def test_gram_is_the_squared_error_of_how_channels_go_together(seed: int) -> None:
    student, teacher = tensors(seed, 3, 5, 4)
    mask = scattered(seed, 3, 5)

    def together(side: Tensor, text: int, positions: list[int], one: int, other: int) -> float:
        products = [side[text, at, one].item() * side[text, at, other].item() for at in positions]
        return sum(products) / len(positions)

    squares = [
        (together(student, text, positions, one, other) - together(teacher, text, positions, one, other)) ** 2
        for text, positions in valid_positions(mask)
        if positions
        for one in range(4)
        for other in range(4)
    ]
    assert float(hidden_loss("gram")(student, teacher, mask)) == pytest.approx(np.mean(squares), abs=1e-9)


def _twice(peer: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss of TextBrewer on two layers, given one layer twice."""

    def theirs(student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
        return peer([student, student], [teacher, teacher], mask)

    return theirs


@given(SEEDS, BATCHES, LENGTHS, WIDTHS)
def test_gram_is_textbrewers_fsp_of_a_layer_with_itself(seed: int, batch: int, length: int, width: int) -> None:
    student, teacher = tensors(seed, batch, length, width)
    ours, theirs = hidden_loss("gram"), _twice(textbrewer.fsp_loss)
    assert_equal(ours, theirs, student, teacher, mask_of(seed, batch, length))
    assert_equal(ours, theirs, student, teacher)


@given(SEEDS)
def test_nst_is_the_squared_error_of_how_positions_go_together_whatever_the_widths(seed: int) -> None:
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 5, 7, count=1)
    mask = scattered(seed, 3, 5)
    squares = [
        (float(student[text, i] @ student[text, j]) / 4 - float(teacher[text, i] @ teacher[text, j]) / 7) ** 2
        for text, positions in valid_positions(mask)
        for i in positions
        for j in positions
    ]
    assert float(hidden_loss("nst")(student, teacher, mask)) == pytest.approx(np.mean(squares), abs=1e-9)


@given(SEEDS, BATCHES, LENGTHS, WIDTHS, WIDTHS)
def test_nst_is_textbrewers_mmd_of_a_layer_with_itself(
    seed: int, batch: int, length: int, width: int, other: int
) -> None:
    """With a mask it divides by the length in place of the width."""
    student, teacher = tensors(seed, batch, length, width)
    (wider,) = tensors(seed + 1, batch, length, other, count=1)
    ours, theirs = hidden_loss("nst"), _twice(textbrewer.mmd_loss)
    assert_equal(ours, theirs, student, wider)
    mask = scattered(seed, batch, length)
    assert_equal(ours, theirs, student, teacher, mask, factor=(length / width) ** 2)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simple-contrastive", {"feature": "tokens"}),
        ("simple-contrastive", {"queue": 0}),
        ("simple-contrastive", {"temperature": 0}),
        ("rkd", {"feature": "tokens"}),
        ("rkd", {"distance": -1}),
        ("cka", {"feature": "last"}),
        ("minilm", {"relation_heads": 0}),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"hidden_loss: {next(iter(options))}"):
        hidden_loss(name, **options)
