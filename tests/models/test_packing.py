"""Weights in the processor's own order: the same numbers to the last bit."""

import copy

import pytest
import torch

from architectures import ARCHITECTURES, INPUTS, drawn
from distiller import models

PACKS = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


@torch.no_grad()
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_model_says_the_same(architecture: str) -> None:
    plain = drawn(architecture).to(torch.bfloat16)
    packed = copy.deepcopy(plain)
    models.pack(packed)
    expected, found = (model(**INPUTS, output_hidden_states=True) for model in (plain, packed))
    assert torch.equal(found.logits, expected.logits)
    assert all(map(torch.equal, found.hidden_states, expected.hidden_states))


@pytest.mark.skipif(not PACKS, reason="this processor multiplies in bfloat16 without oneDNN")
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
    assert "forward" not in vars(model.classifier)
