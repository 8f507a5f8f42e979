"""Weights in the processor's own order: the same numbers to the last bit."""

import copy
import gc
import weakref

import pytest
import torch
from torch import nn

from architectures import ARCHITECTURES, INPUTS, drawn
from distiller import models
from distiller.models.packing import PackedLinear

PACKS = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()

needs_onednn = pytest.mark.skipif(not PACKS, reason="this processor multiplies in bfloat16 without oneDNN")


@needs_onednn
@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_model_says_the_same(architecture: str) -> None:
    plain = drawn(architecture).to(torch.bfloat16)
    packed = copy.deepcopy(plain)
    models.pack(packed)
    expected, found = (model(**INPUTS, output_hidden_states=True) for model in (plain, packed))
    assert torch.equal(found.logits, expected.logits)
    assert all(map(torch.equal, found.hidden_states, expected.hidden_states))


@needs_onednn
@torch.no_grad()
@pytest.mark.parametrize("texts", [1, 4, 32])
@pytest.mark.parametrize(("width", "inner"), [(384, 384), (384, 1536), (768, 3072)])
def test_products_of_usual_widths_are_the_same(width: int, inner: int, texts: int) -> None:
    layer, inputs = nn.Linear(width, inner).bfloat16(), torch.randn(texts, 28, width).bfloat16()
    expected = layer(inputs)
    models.pack(layer)
    assert type(layer) is PackedLinear
    assert torch.equal(layer(inputs), expected)


@needs_onednn
def test_a_packed_model_that_nobody_holds_is_gone() -> None:
    model = drawn("bert").to(torch.bfloat16)
    models.pack(model)
    weight = weakref.ref(model.classifier.weight)
    gc.disable()
    try:
        del model
        assert weight() is None
    finally:
        gc.enable()


@needs_onednn
def test_it_multiplies_the_packed_weights() -> None:
    """What is changed later is not seen, which is what tells them apart."""
    model = drawn("bert").to(torch.bfloat16)
    layer = model.classifier
    inputs = torch.ones(1, layer.in_features, dtype=torch.bfloat16)
    models.pack(model)
    before = layer(inputs)
    with torch.no_grad():
        layer.weight.zero_()
    assert torch.equal(layer(inputs), before)


def test_a_model_in_float32_is_left_alone() -> None:
    model = drawn("bert")
    models.pack(model)
    assert type(model.classifier) is nn.Linear
