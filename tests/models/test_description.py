from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from distiller import models

SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 60}


def _model(kind: str = "bert", **fields: Any) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **{**SHAPE, **fields})
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    return model


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "electra", "albert", "deberta-v2"])
@pytest.mark.parametrize("labels", [{}, {"num_labels": 1}, {"id2label": {0: "no", 1: "yes"}, "problem_type": None}])
def test_a_model_that_was_saved_and_loaded_has_the_fingerprint_that_it_had(
    tmp_path: Path, kind: str, labels: dict[str, Any]
) -> None:
    model = _model(kind, **labels)
    before = models.fingerprint(model)
    for folder in (tmp_path / "one", tmp_path / "two"):
        models.save(model, models.load_tokenizer("asset:minilm-l6", "test"), folder)
        assert models.fingerprint(model) == before
        model = models.load_classifier(str(folder), {}, "teacher.model", seed=1)
        assert models.fingerprint(model) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"num_attention_heads": 2},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-3},
        {"hidden_dropout_prob": 0.3},
        {"id2label": {0: "no", 1: "yes"}},
    ],
)
def test_a_config_that_changes_what_the_same_weights_do_changes_the_fingerprint(fields: dict[str, Any]) -> None:
    model, other = _model(), _model(**fields)
    assert all(torch.equal(weight, other.state_dict()[name]) for name, weight in model.state_dict().items())
    assert models.fingerprint(model) == models.fingerprint(_model())
    assert models.fingerprint(model) != models.fingerprint(other)


def test_one_weight_changes_the_fingerprint() -> None:
    model, other = _model(), _model()
    with torch.no_grad():
        other.classifier.bias[0] += 1e-3
    assert models.fingerprint(model) != models.fingerprint(other)


def test_the_description_counts_layers_width_and_parameters() -> None:
    # Embeddings, two layers of four projections and two dense parts with biases and norms, pooler, classifier.
    embeddings = (60 + 512 + 2) * 32 + 2 * 32
    layer = 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 4 * 32
    parameters = embeddings + 2 * layer + (32 * 32 + 32) + (32 * 2 + 2)
    assert models.describe(_model()) == {"architecture": "bert", "layers": 2, "width": 32, "parameters": parameters}
