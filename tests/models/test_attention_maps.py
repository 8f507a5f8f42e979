"""Attention maps and vectors of the encoder families that people fine-tune; each tiny, with random weights."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedModel,
    RobertaConfig,
)

from distiller import UserError, models

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 60,
}
ARCHITECTURES = {
    "albert": AlbertConfig(embedding_size=8, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.5, **SMALL),
    "bert": BertConfig(attention_probs_dropout_prob=0.5, **SMALL),
    "deberta-v2": DebertaV2Config(
        attention_probs_dropout_prob=0.5, relative_attention=True, pos_att_type=["c2p", "p2c"], **SMALL
    ),
    "distilbert": DistilBertConfig(dim=16, n_layers=3, n_heads=2, hidden_dim=32, vocab_size=60, attention_dropout=0.5),
    "electra": ElectraConfig(embedding_size=8, attention_probs_dropout_prob=0.5, **SMALL),
    "modernbert": ModernBertConfig(
        attention_dropout=0.5,
        embedding_dropout=0.1,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
        cls_token_id=3,
        sep_token_id=4,
        **SMALL,
    ),
    "mpnet": MPNetConfig(attention_probs_dropout_prob=0.5, **SMALL),
    "roberta": RobertaConfig(attention_probs_dropout_prob=0.5, **SMALL),
}
INPUTS = {
    "input_ids": torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]),
}


def _model(architecture: str) -> PreTrainedModel:
    with models.seeded(0):
        return AutoModelForSequenceClassification.from_config(copy.deepcopy(ARCHITECTURES[architecture])).eval()


def _hooks(model: nn.Module) -> int:
    return sum(len(part._forward_hooks) for part in model.modules())


def _dropouts(model: nn.Module) -> list[float]:
    """The probabilities of all dropout, but for that of the output of ModernBERT's attention, which has 0.5 too."""
    parts = [part for name, part in model.named_modules() if not name.endswith("out_drop")]
    numbers = [getattr(part, "attention_dropout", None) for part in parts]
    modules = [part.p for part in parts if isinstance(part, nn.Dropout)]
    return modules + [number for number in numbers if isinstance(number, float)]


def _fail_if(condition: bool) -> None:  # noqa: FBT001
    if condition:
        raise KeyError


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_maps_are_probabilities_in_training_too_and_padding_has_none(architecture: str) -> None:
    model = _model(architecture).train()
    with models.seeded(0), models.attention_maps(model):
        maps = model(**INPUTS, output_attentions=True).attentions
    assert len(maps) == 3
    for layer in maps:
        assert layer.shape == (2, 2, 6, 6)
        valid = layer[1, :, :4]
        assert torch.allclose(layer[0].sum(dim=-1), torch.ones(2, 6), atol=1e-5)
        assert torch.allclose(valid.sum(dim=-1), torch.ones(2, 4), atol=1e-5)
        assert valid[..., 4:].max() == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_after_the_block_a_model_attends_and_drops_as_before(architecture: str) -> None:
    model = _model(architecture)
    before, dropouts = model.config._attn_implementation, _dropouts(model)
    within = [0.0 if probability == 0.5 else probability for probability in dropouts]
    with pytest.raises(KeyError), models.attention_maps(model):
        _fail_if((model.config._attn_implementation, _dropouts(model)) == ("eager", within))
    assert model.config._attn_implementation == before
    assert _dropouts(model) == dropouts
    assert {0.1, 0.5} <= {*dropouts}


@pytest.mark.parametrize("kind", ["maps", "vectors"])
def test_logits_are_the_same_whatever_is_recorded(kind: str) -> None:
    model = _model("bert")
    expected = model(**INPUTS).logits
    with models.attention_maps(model) if kind == "maps" else models.attention_vectors(model):
        assert torch.allclose(model(**INPUTS).logits, expected, atol=1e-6)


def test_vectors_are_what_the_projections_make_of_the_layers_input(tiny_bert: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval()
    with models.attention_vectors(model) as vectors:
        states = model(**INPUTS, output_hidden_states=True).hidden_states
        assert vectors == []
    assert len(vectors) == 4
    for layer, given, block in zip(vectors, states, model.bert.encoder.layer, strict=False):
        assert layer.shape == (2, 3, 6, 32)
        attention = block.attention.self
        for kind, projection in enumerate((attention.query, attention.key, attention.value)):
            expected = given @ projection.weight.T + projection.bias
            assert torch.allclose(layer[:, kind], expected, atol=1e-6)


def test_maps_are_the_softmax_of_the_products_of_queries_and_keys(tiny_bert: Path) -> None:
    """Maps and vectors agree, head by head: four heads, eight wide."""
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval()
    with models.attention_maps(model), models.attention_vectors(model) as vectors:
        maps = model(**INPUTS, output_attentions=True).attentions
    for layer, of_layer in zip(vectors, maps, strict=True):
        for head in range(4):
            queries, keys = (layer[:, kind, :, 8 * head : 8 * head + 8] for kind in (0, 1))
            scores = torch.einsum("bqw,bkw->bqk", queries, keys) / 8**0.5
            scores = scores.masked_fill(INPUTS["attention_mask"][:, None] == 0, -1e9)
            assert torch.allclose(of_layer[:, head], scores.softmax(dim=-1), atol=1e-6)


@pytest.mark.parametrize("architecture", sorted({*ARCHITECTURES} - {"albert", "modernbert"}))
def test_a_gradient_flows_through_vectors_and_hooks_are_gone_afterwards(architecture: str) -> None:
    model = _model(architecture)
    before = _hooks(model)
    with models.attention_vectors(model) as vectors:
        model(**INPUTS)
        assert _hooks(model) == before + 3 * 3
    assert _hooks(model) == before
    torch.stack(vectors).square().sum().backward()
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0
    with pytest.raises(KeyError), models.attention_vectors(model):
        _fail_if(_hooks(model) > before)
    assert _hooks(model) == before


def test_a_model_of_joined_projections_is_refused_by_name() -> None:
    refused = pytest.raises(UserError, match=r"objective\.intermediate: no separate .* modernbert model; use an obj")
    with refused, models.attention_vectors(_model("modernbert")):
        pass
