"""Dropout that is drawn faster is dropout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from architectures import ARCHITECTURES, INPUTS, drawn
from distiller import models
from distiller.training.dropout import PackedDropout, fast_dropout, packed_dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_are_dropped_as_often_as_is_said_and_keep_their_mean(probability: float, dtype: torch.dtype) -> None:
    count = 400_003  # of no whole number of words
    with models.seeded(0):
        out = packed_dropout(torch.ones(count, dtype=dtype), probability).float()
    spread = (probability * (1 - probability) / count) ** 0.5
    assert float((out == 0).float().mean()) == pytest.approx(probability, abs=5 * spread)
    kept = out[out != 0]
    assert len(kept.unique()) == 1
    assert float(kept[0]) == pytest.approx(1 / (1 - probability), rel=0.005)


def test_values_are_dropped_independently() -> None:
    """Neighbours share one random number, of which each has bits of its own."""
    with models.seeded(0):
        dropped = (packed_dropout(torch.ones(4 * 250_000), 0.3) == 0).view(-1, 4).numpy().astype(float)
    correlations = np.corrcoef(dropped, rowvar=False)
    assert np.abs(correlations[~np.eye(4, dtype=bool)]).max() < 5 / np.sqrt(250_000)


def test_the_gradient_goes_where_the_value_went() -> None:
    values = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    with models.seeded(1):
        out = packed_dropout(values, 0.4)
    out.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad != 0, out != 0)
    assert torch.allclose(values.grad * values, out)


def test_without_training_or_probability_nothing_is_dropped() -> None:
    values = torch.ones(10)
    assert torch.equal(PackedDropout(0.5).eval()(values), values)
    assert torch.equal(PackedDropout(0.0)(values), values)
    assert packed_dropout(values, 1.0).abs().sum() == 0


def test_a_model_is_as_it_was_and_says_what_it_said(tiny_bert: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert)
    inputs = {
        "input_ids": torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    }
    kinds = [type(part) for part in model.modules()]
    implementation = model.config._attn_implementation
    expected = model(**inputs).logits
    with fast_dropout(model):
        assert any(isinstance(part, PackedDropout) for part in model.modules())
        assert torch.allclose(model(**inputs).logits, expected, atol=1e-6)
        names = {*model.state_dict()}
        # In training, without any dropping, attention goes the way that it goes with.
        for part in model.modules():
            if isinstance(part, nn.Dropout):
                part.p = 1e-9
        assert torch.allclose(model.train()(**inputs).logits, expected, atol=1e-5)
    assert [type(part) for part in model.modules()] == kinds
    assert model.config._attn_implementation == implementation
    assert {*model.state_dict()} == names


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_says_in_training_what_it_said_but_for_what_is_dropped(name: str) -> None:
    """With dropout of one in 32768, and a seed that drops nothing, the way that training takes gives the same."""
    model = drawn(name)
    with torch.no_grad(), models.seeded(0):
        for weight in model.parameters():
            weight.normal_()  # so large that attention is far from even
    expected = model(**INPUTS).logits
    # Attention reads its probability from a module or from a field of its own.
    for part in model.modules():
        for field, content in [*vars(part).items()]:
            if isinstance(content, float) and (field.endswith("dropout") or isinstance(part, nn.Dropout)):
                setattr(part, field, 2 / 2**16)
    with models.seeded(1), fast_dropout(model):
        said = model.train()(**INPUTS).logits
    assert torch.allclose(said, expected, rtol=1e-3, atol=1e-3)


def test_maps_of_attention_are_dropped_too(tiny_bert: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert).train()
    inputs = {"input_ids": torch.tensor([[5, 6, 7, 8]]), "attention_mask": torch.ones(1, 4).long()}
    for name, part in model.named_modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.5 if name.endswith("attention.self.dropout") else 0.0
    with fast_dropout(model), models.seeded(0):
        first, second = (model(**inputs).logits for _ in range(2))
    assert not torch.allclose(first, second)
