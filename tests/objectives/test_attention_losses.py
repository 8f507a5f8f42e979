"""Losses on attention: maps, scores, and the relations of queries, keys and values."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from textbrewer import losses as textbrewer
from torch import Tensor
from transformers import AutoTokenizer, BertConfig, BertModel

from by_hand import BATCHES, LENGTHS, assert_equal, kl, scattered, softmax, valid_pairs, valid_positions
from conformance.losses import SEEDS, AnyWidth, HiddenLossConformance, gradient, mask_of, tensors
from distiller import Pipeline, UserError
from distiller.models import as_scores
from distiller.objectives import hidden_loss
from distiller.schema import validated
from distiller.training.plan import make_plan


class OnMaps(HiddenLossConformance):
    """Of [batch, heads, length, length], with a mask [batch, length]."""

    def shape(self) -> tuple[int, ...]:
        return (4, 2, 6, 6)

    def rows(self) -> tuple[int, ...]:
        return (4, 6)

    def spoilt(self, side: Tensor, mask: Tensor, rubbish: float) -> Tensor:
        return torch.where(valid_pairs(mask).unsqueeze(1), side, rubbish)


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


@given(SEEDS)
def test_attention_mse_is_the_mean_over_heads_and_pairs_of_valid_positions(seed: int) -> None:
    student, teacher = tensors(seed, 3, 2, 5, 5)
    mask = scattered(seed, 3, 5)
    squares = [
        (student[text, head, query, key].item() - teacher[text, head, query, key].item()) ** 2
        for text, positions in valid_positions(mask)
        for head in range(2)
        for query in positions
        for key in positions
    ]
    assert float(hidden_loss("attention-mse")(student, teacher, mask)) == pytest.approx(np.mean(squares), abs=1e-9)


@given(SEEDS, BATCHES, st.integers(1, 3), LENGTHS)
def test_attention_mse_is_textbrewers(seed: int, batch: int, heads: int, length: int) -> None:
    student, teacher = tensors(seed, batch, heads, length, length)
    ours = hidden_loss("attention-mse")
    assert_equal(ours, textbrewer.att_mse_loss, student, teacher, mask_of(seed, batch, length))
    assert_equal(ours, textbrewer.att_mse_loss, student, teacher, scattered(seed, batch, length))
    assert_equal(ours, textbrewer.att_mse_loss, student.softmax(dim=-1), teacher.softmax(dim=-1))


@given(SEEDS)
def test_attention_kl_is_the_mean_divergence_over_valid_keys_of_valid_queries(seed: int) -> None:
    student, teacher = tensors(seed, 3, 2, 5, 5)
    mask = scattered(seed, 3, 5)
    divergences = [
        kl(*(softmax([side[text, head, query, key].item() for key in positions]) for side in (teacher, student)))
        for text, positions in valid_positions(mask)
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

    assert_equal(hidden_loss("attention-kl"), theirs, student, teacher, mask)


@given(SEEDS)
def test_without_a_mask_attention_kl_is_textbrewers_less_entropy_where_all_scores_of_the_teacher_are_above_zero(
    seed: int,
) -> None:
    student, teacher = tensors(seed, 3, 2, 5, 5)
    teacher = teacher.abs()
    p = teacher.softmax(dim=-1)

    def theirs(student: Tensor, teacher: Tensor, mask: None = None) -> Tensor:
        return textbrewer.att_ce_loss(student, teacher) + torch.special.xlogy(p, p).sum(dim=-1).mean()

    assert_equal(hidden_loss("attention-kl"), theirs, student, teacher)


@given(SEEDS)
def test_the_logarithm_of_maps_serves_attention_kl_as_well_as_the_scores_that_they_come_of(seed: int) -> None:
    scores = tensors(seed, 3, 2, 5, 5)
    mask = mask_of(seed, 3, 5)
    keys = mask.bool()[:, None, None, :]
    student, teacher = scores
    loss = hidden_loss("attention-kl")

    def of_maps(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        maps = [side.masked_fill(~keys, -1e4).softmax(dim=-1) for side in (student, teacher)]
        own, others = (as_scores({1: side})[1] for side in maps)
        return loss(own, others, mask)

    assert float(of_maps(student, teacher, mask)) == pytest.approx(float(loss(student, teacher, mask)), abs=1e-12)
    slopes = gradient(of_maps, student, teacher, mask), gradient(loss, student, teacher, mask)
    assert torch.allclose(*slopes, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_the_logarithm_of_maps_is_finite_where_a_map_is_zero_and_so_is_every_gradient(dtype: torch.dtype) -> None:
    scores = torch.tensor([[[[90.0, 0.0, -90.0], [0.0, 0.0, -1e4], [-1e4, 5.0, -90.0]]]], dtype=dtype)
    loss, mask = hidden_loss("attention-kl"), torch.ones(1, 3)

    def of_maps(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
        own, others = (as_scores({1: side.softmax(dim=-1)})[1] for side in (student, teacher))
        assert own.dtype is torch.promote_types(dtype, torch.float32)
        return loss(own, others, mask)

    assert torch.isfinite(of_maps(scores, scores.flip(-1), mask))
    assert torch.isfinite(gradient(of_maps, scores, scores.flip(-1), mask)).all()


@given(SEEDS, st.sampled_from([1, 2, 4]))
def test_minilm_is_the_mean_divergence_of_relations_whatever_the_widths(seed: int, heads: int) -> None:
    (student,), (teacher,) = tensors(seed, 3, 2, 5, 4, count=1), tensors(seed + 1, 3, 2, 5, 12, count=1)
    mask = scattered(seed, 3, 5)

    def relation(side: Tensor, text: int, kind: int, head: int, query: int, positions: list[int]) -> list[float]:
        width = side.shape[-1] // heads
        part = side[text, kind, :, head * width : (head + 1) * width].numpy()
        return softmax([float(part[query] @ part[key]) / math.sqrt(width) for key in positions])

    divergences = [
        kl(*(relation(side, text, kind, head, query, positions) for side in (teacher, student)))
        for text, positions in valid_positions(mask)
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
