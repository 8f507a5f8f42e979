"""Losses between layers of the field: on attention, on the relations of texts and positions, and those that learn.

What they are is computed anew here: by hand, in numpy, one number after the other, and by TextBrewer and torchdistill.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from textbrewer import losses as textbrewer
from torch import Tensor
from torch.nn import functional
from torchdistill.losses import mid_level as torchdistill
from transformers import AutoTokenizer, BertConfig, BertModel

from conformance.losses import (
    SEEDS,
    AnyWidth,
    HiddenLossConformance,
    Learned,
    gradient,
    mask_of,
    tensors,
)
from distiller import Pipeline, UserError
from distiller.models import Features
from distiller.objectives import HiddenLoss, hidden_loss
from distiller.schema import validated
from distiller.training.plan import make_plan

BATCHES = st.integers(1, 4)
LENGTHS = st.integers(1, 7)
WIDTHS = st.integers(1, 9)


class OnMaps(HiddenLossConformance):
    """Of [batch, heads, length, length], with a mask [batch, length]."""

    def shape(self) -> tuple[int, ...]:
        return (4, 2, 6, 6)

    def rows(self) -> tuple[int, ...]:
        return (4, 6)

    def spoilt(self, side: Tensor, mask: Tensor, rubbish: float) -> Tensor:
        return torch.where(_pairs(mask).unsqueeze(1), side, rubbish)


class TestAttentionMSE(OnMaps):
    options = {"type": "attention-mse"}


class TestAttentionKL(OnMaps):
    options = {"type": "attention-kl"}


class TestMiniLMOfOneKind(AnyWidth, HiddenLossConformance):
    options = {"type": "minilm", "relation_heads": 1}


class TestMiniLM(HiddenLossConformance):
    options = {"type": "minilm", "relation_heads": 2}

    def shape(self) -> tuple[int, ...]:
        return (2, 3, 4, 4)

    def rows(self) -> tuple[int, ...]:
        return (2, 4)

    def spoilt(self, side: Tensor, mask: Tensor, rubbish: float) -> Tensor:
        return torch.where(mask.bool()[:, None, :, None], side, rubbish)

    def mismatched(self, student: Tensor) -> Tensor:
        return student[:, :1]


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


class TestVID(AnyWidth, Learned):
    options = {"type": "vid"}
    steps = 50  # its variances begin far from where they end


class InEvaluation(Learned):
    """The suite calls a loss with one batch again and again: in training the queue would be full of that batch."""

    def drawn(self, seed: int) -> HiddenLoss:
        return super().drawn(seed).eval()


class TestSimpleContrastive(AnyWidth, InEvaluation):
    options = {"type": "simple-contrastive"}


class TestSimpleContrastiveOfMeans(AnyWidth, InEvaluation):
    options = {"type": "simple-contrastive", "feature": "mean", "embedding": 3, "temperature": 0.5, "queue": 2}


def _pairs(mask: Tensor) -> Tensor:
    """[batch, length, length]: whether both positions are valid."""
    return mask.bool().unsqueeze(-1) & mask.bool().unsqueeze(-2)


def _valid(mask: Tensor) -> Iterator[tuple[int, list[int]]]:
    """Each text with its valid positions."""
    for text, row in enumerate(mask.tolist()):
        yield text, [position for position, valid in enumerate(row) if valid]


def _scattered(seed: int, batch: int, length: int) -> Tensor:
    """A mask with padding anywhere, and texts of nothing but padding; one position is valid at least."""
    mask = torch.rand(batch, length, generator=torch.Generator().manual_seed(seed + 2)) > 0.4
    mask[0, 0] = True
    return mask.long()


def _softmax(values: list[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def _kl(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def _assert_equal(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *inputs: Tensor, factor: float = 1.0
) -> None:
    """In value and gradient, theirs times a factor."""
    assert ours(*inputs).item() == pytest.approx(factor * theirs(*inputs).item(), abs=1e-6, rel=1e-6)
    slope = factor * gradient(theirs, *inputs)
    assert torch.allclose(gradient(ours, *inputs), slope, atol=1e-6, rtol=1e-6)


# attention-mse


@given(SEEDS)
def test_attention_mse_is_the_mean_over_heads_and_pairs_of_valid_positions(seed: int) -> None:
    student, teacher = tensors(seed, 3, 2, 5, 5)
    mask = _scattered(seed, 3, 5)
    squares = [
        (student[text, head, query, key].item() - teacher[text, head, query, key].item()) ** 2
        for text, positions in _valid(mask)
        for head in range(2)
        for query in positions
        for key in positions
    ]
    assert float(hidden_loss("attention-mse")(student, teacher, mask)) == pytest.approx(np.mean(squares), abs=1e-9)


@given(SEEDS, BATCHES, st.integers(1, 3), LENGTHS)
def test_attention_mse_is_textbrewers(seed: int, batch: int, heads: int, length: int) -> None:
    student, teacher = tensors(seed, batch, heads, length, length)
    ours = hidden_loss("attention-mse")
    _assert_equal(ours, textbrewer.att_mse_loss, student, teacher, mask_of(seed, batch, length))
    _assert_equal(ours, textbrewer.att_mse_loss, student, teacher, _scattered(seed, batch, length))
    _assert_equal(ours, textbrewer.att_mse_loss, student.softmax(dim=-1), teacher.softmax(dim=-1))


# attention-kl


@given(SEEDS)
def test_attention_kl_is_the_mean_divergence_over_valid_keys_of_valid_queries(seed: int) -> None:
    student, teacher = tensors(seed, 3, 2, 5, 5)
    mask = _scattered(seed, 3, 5)
    divergences = [
        _kl(*(_softmax([side[text, head, query, key].item() for key in positions]) for side in (teacher, student)))
        for text, positions in _valid(mask)
        for head in range(2)
        for query in positions
    ]
    assert float(hidden_loss("attention-kl")(student, teacher, mask)) == pytest.approx(np.mean(divergences), abs=1e-9)


@given(SEEDS, BATCHES, st.integers(1, 3), LENGTHS)
def test_attention_kl_is_textbrewers_less_entropy_where_padding_has_scores_as_a_transformer_gives_them(
    seed: int, batch: int, heads: int, length: int
) -> None:
    mask = mask_of(seed, batch, length)
    keys = mask.bool()[:, None, None, :]
    student, teacher = (side.masked_fill(~keys, -1e4) for side in tensors(seed, batch, heads, length, length))
    p = teacher.softmax(dim=-1)
    entropies = -torch.special.xlogy(p, p).sum(dim=-1)
    queries = mask.bool().unsqueeze(1).expand(-1, heads, -1)

    def theirs(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        return textbrewer.att_ce_loss(student, teacher, mask) - entropies[queries].mean()

    _assert_equal(hidden_loss("attention-kl"), theirs, student, teacher, mask)


@given(SEEDS)
def test_without_a_mask_attention_kl_is_textbrewers_less_entropy_where_all_scores_of_the_teacher_are_above_zero(
    seed: int,
) -> None:
    student, teacher = tensors(seed, 3, 2, 5, 5)
    teacher = teacher.abs()
    p = teacher.softmax(dim=-1)

    def theirs(student: Tensor, teacher: Tensor, mask: None = None) -> Tensor:
        return textbrewer.att_ce_loss(student, teacher) + torch.special.xlogy(p, p).sum(dim=-1).mean()

    _assert_equal(hidden_loss("attention-kl"), theirs, student, teacher)


@given(SEEDS)
def test_the_logarithm_of_maps_serves_attention_kl_as_well_as_the_scores_that_they_come_of(seed: int) -> None:
    scores = tensors(seed, 3, 2, 5, 5)
    mask = mask_of(seed, 3, 5)
    keys = mask.bool()[:, None, None, :]
    student, teacher = scores
    loss = hidden_loss("attention-kl")

    def of_maps(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        maps = [side.masked_fill(~keys, -1e4).softmax(dim=-1) for side in (student, teacher)]
        (own,), (others,) = (Features(side, mask, attention_maps=(side,)).attention_scores or () for side in maps)
        return loss(own, others, mask)

    assert float(of_maps(student, teacher, mask)) == pytest.approx(float(loss(student, teacher, mask)), abs=1e-12)
    slopes = gradient(of_maps, student, teacher, mask), gradient(loss, student, teacher, mask)
    assert torch.allclose(*slopes, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_the_logarithm_of_maps_is_finite_where_a_map_is_zero_and_so_is_every_gradient(dtype: torch.dtype) -> None:
    scores = torch.tensor([[[[90.0, 0.0, -90.0], [0.0, 0.0, -1e4], [-1e4, 5.0, -90.0]]]], dtype=dtype)
    loss, mask = hidden_loss("attention-kl"), torch.ones(1, 3)

    def of_maps(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        (own,), (others,) = (
            Features(side, mask, attention_maps=(side.softmax(dim=-1),)).attention_scores or ()
            for side in (student, teacher)
        )
        assert own.dtype is torch.promote_types(dtype, torch.float32)
        return loss(own, others, mask)

    assert torch.isfinite(of_maps(scores, scores.flip(-1), mask))
    assert torch.isfinite(gradient(of_maps, scores, scores.flip(-1), mask)).all()
    assert Features(scores, mask).attention_scores is None


# minilm


@given(SEEDS, st.sampled_from([1, 2, 4]))
def test_minilm_is_the_mean_divergence_of_relations_whatever_the_widths(seed: int, heads: int) -> None:
    (student,), (teacher,) = tensors(seed, 3, 2, 5, 4, count=1), tensors(seed + 1, 3, 2, 5, 12, count=1)
    mask = _scattered(seed, 3, 5)

    def relation(side: Tensor, text: int, kind: int, head: int, query: int, positions: list[int]) -> list[float]:
        width = side.shape[-1] // heads
        part = side[text, kind, :, head * width : (head + 1) * width].numpy()
        return _softmax([float(part[query] @ part[key]) / math.sqrt(width) for key in positions])

    divergences = [
        _kl(*(relation(side, text, kind, head, query, positions) for side in (teacher, student)))
        for text, positions in _valid(mask)
        for kind in range(2)
        for head in range(heads)
        for query in positions
    ]
    loss = hidden_loss("minilm", relation_heads=heads)
    assert float(loss(student, teacher, mask)) == pytest.approx(np.mean(divergences), abs=1e-9)


@given(SEEDS)
def test_minilm_with_the_heads_of_attention_is_attention_kl_of_the_products(seed: int) -> None:
    student, teacher = tensors(seed, 3, 5, 8)
    mask = mask_of(seed, 3, 5)
    products = [
        torch.stack([side[..., part] @ side[..., part].mT / 2 for part in (slice(0, 4), slice(4, 8))], dim=1)
        for side in (student, teacher)
    ]
    expected = hidden_loss("attention-kl")(*products, mask)
    assert torch.allclose(hidden_loss("minilm", relation_heads=2)(student, teacher, mask), expected, atol=1e-12)


def test_relation_heads_that_divide_no_width_are_named() -> None:
    loss = hidden_loss("minilm")
    assert torch.isfinite(loss(*tensors(0, 2, 3, 24), None))
    for widths in ((24, 10), (10, 24)):
        states = [torch.ones(2, 3, width) for width in widths]
        with pytest.raises(ValueError, match=rf"relation_heads: 12 does not divide both {widths[0]}.*{widths[1]}"):
            loss(*states)


@pytest.mark.parametrize(
    ("intermediate", "place"),
    [
        ({"type": "minilm"}, r"relation_heads: 12 does not divide both 16.*and 32"),
        (
            {"type": "attention-kl"},
            r"intermediate: attention-kl compares head by head.*2 heads, its teacher 4; use minilm",
        ),
        ({"type": "attention-mse"}, r"intermediate: attention-mse compares head by head"),
    ],
)
def test_models_that_attention_cannot_be_compared_of_are_refused_before_anything_is_trained(
    tiny_bert: Path, tmp_path: Path, intermediate: dict[str, Any], place: str
) -> None:
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    content = {
        "data": {"source": "asset:trec", "max_length": 24},
        "teacher": {"model": str(tiny_bert)},
        "student": {"model": str(tmp_path)},
        "objective": {"intermediate": intermediate},
    }
    with pytest.raises(UserError, match=rf"objective\.(intermediate\.)?{place}"):
        make_plan(validated(Pipeline, content, "test"))


# cka


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
    texts = [(text, positions) for text, positions in _valid(mask) if positions]
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


# rkd


def _their_rkd(distance: float, angle: float) -> Callable[..., Tensor]:
    module = torchdistill.RKDLoss(".", ".", distance, angle, "mean")

    def theirs(student: Tensor, teacher: Tensor, mask: None = None) -> Tensor:
        return module({".": {"output": student}}, {".": {"output": teacher}})

    return theirs


@given(SEEDS, st.integers(2, 6), WIDTHS, st.floats(0.1, 3), st.floats(0.1, 3))
def test_rkd_is_torchdistills(seed: int, batch: int, width: int, distance: float, angle: float) -> None:
    student, teacher = tensors(seed, batch, 1, width)
    ours = hidden_loss("rkd", distance=distance, angle=angle)
    _assert_equal(ours, _their_rkd(distance, angle), student, teacher)


def _huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) < 1 else abs(difference) - 0.5


@given(SEEDS, st.sampled_from(["cls", "mean"]))
def test_rkd_is_the_huber_loss_of_distances_and_of_angles_of_texts_that_count(seed: int, feature: str) -> None:
    (student,), (teacher,) = tensors(seed, 5, 4, 3, count=1), tensors(seed + 1, 5, 4, 6, count=1)
    mask = mask_of(seed, 5, 4)
    mask[2] = 0
    sides = [
        [(side[text, 0] if feature == "cls" else side[text, at].mean(dim=0)).numpy() for text, at in _valid(mask) if at]
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


# gram


@given(SEEDS)
def test_gram_is_the_squared_error_of_how_channels_go_together(seed: int) -> None:
    student, teacher = tensors(seed, 3, 5, 4)
    mask = _scattered(seed, 3, 5)

    def together(side: Tensor, text: int, positions: list[int], one: int, other: int) -> float:
        products = [side[text, at, one].item() * side[text, at, other].item() for at in positions]
        return sum(products) / len(positions)

    squares = [
        (together(student, text, positions, one, other) - together(teacher, text, positions, one, other)) ** 2
        for text, positions in _valid(mask)
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
    _assert_equal(ours, theirs, student, teacher, mask_of(seed, batch, length))
    _assert_equal(ours, theirs, student, teacher)


# nst


@given(SEEDS)
def test_nst_is_the_squared_error_of_how_positions_go_together_whatever_the_widths(seed: int) -> None:
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 5, 7, count=1)
    mask = _scattered(seed, 3, 5)
    squares = [
        (float(student[text, i] @ student[text, j]) / 4 - float(teacher[text, i] @ teacher[text, j]) / 7) ** 2
        for text, positions in _valid(mask)
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
    _assert_equal(ours, theirs, student, wider)
    mask = _scattered(seed, batch, length)
    _assert_equal(ours, theirs, student, teacher, mask, factor=(length / width) ** 2)


# vid


def _drawn_vid(seed: int) -> HiddenLoss:
    """For widths 4 and 6, with variances that differ."""
    loss = hidden_loss("vid")
    loss.draw(4, 6, seed)
    loss.double()
    with torch.no_grad():
        loss.rho.copy_(tensors(seed, 6, count=1)[0])
    return loss


@given(SEEDS)
def test_vid_is_torchdistills_given_this_mean_and_variance(seed: int) -> None:
    """Its maps are [batch, channels, height, width]: here a text is one row of positions."""
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 5, 6, count=1)
    loss = _drawn_vid(seed)
    part = {"io": "output", "path": "."}
    module = torchdistill.VIDLoss({"pair": {"student": part, "teacher": part}})

    def theirs(student: Tensor, teacher: Tensor, mask: None = None) -> Tensor:
        mean = (student @ loss.mean.weight.T + loss.mean.bias).mT.unsqueeze(2)
        variance = (torch.log(1 + torch.exp(loss.rho)) + 1e-5).view(1, -1, 1, 1)
        return module({".": {"output": (mean, variance)}}, {".": {"output": teacher.mT.unsqueeze(2)}})

    _assert_equal(loss, theirs, student, teacher)
    slopes = [torch.autograd.grad(side(student, teacher), [*loss.parameters()]) for side in (loss, theirs)]
    assert all(torch.allclose(*both, atol=1e-9) for both in zip(*slopes, strict=True))


@given(SEEDS)
def test_vid_is_the_negative_log_density_of_valid_positions_less_its_constant(seed: int) -> None:
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 5, 6, count=1)
    mask = _scattered(seed, 3, 5)
    loss = _drawn_vid(seed)
    weight, bias, rho = (parameter.detach().numpy() for parameter in (loss.mean.weight, loss.mean.bias, loss.rho))
    surprises = []
    for text, positions in _valid(mask):
        for position in positions:
            mean = weight @ student[text, position].numpy() + bias
            for channel in range(6):
                variance = math.log1p(math.exp(rho[channel])) + 1e-5
                error = mean[channel] - teacher[text, position, channel].item()
                density = math.exp(-(error**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
                surprises.append(-math.log(density) - math.log(2 * math.pi) / 2)
    assert loss(student, teacher, mask).item() == pytest.approx(np.mean(surprises), abs=1e-9)


def test_the_variance_of_vid_begins_at_five() -> None:
    loss = hidden_loss("vid")
    loss.draw(4, 6, seed=0)
    assert torch.allclose(loss.variance(), torch.full((6,), 5.0))


# simple-contrastive


def _drawn_contrastive(**options: Any) -> HiddenLoss:
    """For widths 5 and 7, in training."""
    loss = hidden_loss("simple-contrastive", **options)
    loss.draw(5, 7, seed=0)
    return loss.double()


def _texts(seed: int, batch: int) -> tuple[Tensor, Tensor]:
    return tensors(seed, batch, 1, 5, count=1)[0], tensors(seed + 1, batch, 1, 7, count=1)[0]


def _embedded(layer: torch.nn.Linear, text: Tensor) -> np.ndarray:
    embedding = layer.weight.detach().numpy() @ text.numpy() + layer.bias.detach().numpy()
    return embedding / np.linalg.norm(embedding)


@given(SEEDS, st.integers(1, 9))
def test_contrast_is_among_the_batch_and_the_teachers_newest_vectors_as_they_are_embedded_now(
    seed: int, queue: int
) -> None:
    loss = _drawn_contrastive(queue=queue, temperature=0.5)
    remembered: list[Tensor] = []
    for step, batch in enumerate((3, 1, 4, 2, 5)):
        student, teacher = _texts(seed + 2 * step, batch)
        x = [_embedded(loss.student, text) for text in student[:, 0]]
        y = [_embedded(loss.teacher, text) for text in [*teacher[:, 0], *remembered[-queue:]]]
        expected = [-math.log(_softmax([float(x[at] @ other) / 0.5 for other in y])[at]) for at in range(batch)]
        assert loss(student, teacher).item() == pytest.approx(np.mean(expected), abs=1e-9)
        remembered += [*teacher[:, 0]]
        with torch.no_grad():
            loss.teacher.weight.add_(0.3 * torch.randn_like(loss.teacher.weight))


def test_one_text_with_nothing_in_the_queue_teaches_nothing_and_with_something_it_does() -> None:
    loss = _drawn_contrastive()
    for expected in (False, True):
        value = loss(*_texts(2 * expected, 1))
        slopes = torch.autograd.grad(value, [*loss.parameters()])
        assert (value.item() > 0) is expected
        assert [bool(slope.abs().sum() > 0) for slope in slopes] == [expected] * 4


def test_the_queue_is_filled_in_training_alone_and_never_with_padding() -> None:
    loss = _drawn_contrastive(queue=4, feature="mean")
    student, teacher = tensors(0, 3, 2, 5, count=1)[0], tensors(1, 3, 2, 7, count=1)[0]
    mask = torch.tensor([[1, 0], [1, 1], [0, 0]])
    teacher[mask == 0] = float("nan")
    loss.eval()(student, teacher, mask)
    assert int(loss.seen) == 0
    loss.train()(student, teacher, mask)
    assert int(loss.seen) == 2
    filled = [teacher[0, 0], teacher[1].mean(dim=0)]
    assert torch.allclose(loss.queue, torch.stack([*filled, torch.zeros(7), torch.zeros(7)]))


def test_a_gradient_flows_through_what_is_in_the_queue_to_the_embedding_alone() -> None:
    loss = _drawn_contrastive()
    (_, earlier), (student, teacher) = (_texts(seed, 3) for seed in (0, 2))
    earlier.requires_grad_()
    loss(torch.zeros(3, 1, 5).double(), earlier)
    loss(student, teacher).backward()
    assert earlier.grad is None
    assert not loss.queue.requires_grad
    x, y = (
        functional.normalize(layer(side[:, 0]), dim=-1)
        for layer, side in ((loss.student, student), (loss.teacher, torch.cat([teacher, earlier.detach()])))
    )
    scores = x @ y.T / 0.07
    by_hand = (scores.logsumexp(dim=-1) - scores.diagonal()).mean()
    slopes = torch.autograd.grad(by_hand, [*loss.parameters()])
    assert all(torch.allclose(weight.grad, slope) for weight, slope in zip(loss.parameters(), slopes, strict=True))


def test_the_queue_is_part_of_what_a_checkpoint_keeps() -> None:
    loss = _drawn_contrastive(queue=5)
    for step in range(3):
        loss(*_texts(2 * step, 3))
    again = _drawn_contrastive(queue=5)
    again.load_state_dict(loss.state_dict())
    for step in range(3, 6):
        assert torch.equal(again(*_texts(2 * step, 3)), loss(*_texts(2 * step, 3)))


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
