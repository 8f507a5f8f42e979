"""Every family with every head says as ONNX what it says in torch, on real texts and at any size."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from architectures import FAMILIES, drawn_with_head
from distiller import data, models, tasks
from distiller.data import DataConfig, Examples
from distiller.export.graph import OPSET, OUTPUTS, inputs_of, write_graph
from distiller.export.session import OnnxModel
from distiller.models import HeadKind
from distiller.tasks import TASKS, TaskName
from distiller.training import Encoded, Reader, encode
from distiller.training.evaluation import predict

HEADS = get_args(HeadKind)
TASK_OF: dict[HeadKind, TaskName] = {
    "sequence": "classification",
    "token": "token-classification",
    "span": "question-answering",
}
TEXTS = 500
CLASSES = ["one", "two", "three"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return models.load_tokenizer("asset:minilm-l6", "test")


@pytest.fixture(scope="module")
def real_texts(tokenizer: PreTrainedTokenizerBase) -> dict[HeadKind, Encoded]:
    """Pairs of a question and a sentence of a review; questions, word by word; questions, and reviews as contexts."""
    questions = [text for (text,) in data.load(DataConfig(source="asset:trec"), "classes", 0).train.texts[:TEXTS]]
    reviews = [text for (text,) in data.load(DataConfig(source="asset:hutto-movies"), "numbers", 0).train.texts]
    contexts = [" ".join(reviews[3 * number : 3 * number + 3]) for number in range(TEXTS)]
    texts: dict[HeadKind, list[tuple[str, ...]]] = {
        "sequence": [*zip(questions, reviews, strict=False)],
        "token": [(" ".join(text.split()),) for text in questions],
        "span": [*zip(questions, contexts, strict=True)],
    }
    reader = Reader(tokenizer, 64, 512, 16)
    return {head: encode([Examples(texts[head], None)], CLASSES, tasks.build(TASK_OF[head]), reader) for head in HEADS}


EXPORTED = [(family, head) for family in FAMILIES for head in HEADS]


@pytest.fixture(scope="module", params=EXPORTED, ids="-".join)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, real_texts: dict[HeadKind, Encoded]
) -> tuple[PreTrainedModel, OnnxModel, HeadKind]:
    family, head = request.param
    layers = 2 if family == "modernbert" else 1  # its first looks at all of a text, its second at what is near
    few = replace(real_texts[head].tokens, words=None).batch([*range(100)])
    outputs = 2 if head == "span" else len(CLASSES)
    model = drawn_with_head(family, head, few, num_labels=outputs, num_hidden_layers=layers)
    file = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_graph(model, head, inputs_of(model, [*few]), OPSET, file, family)
    assert b"site-packages" not in file.read_bytes()  # where our files lie is nobody's business
    return model, OnnxModel(file, model.config), head


def test_logits_are_those_of_torch(
    exported: tuple[PreTrainedModel, OnnxModel, HeadKind], real_texts: dict[HeadKind, Encoded]
) -> None:
    model, onnx, head = exported
    original = predict(model, real_texts[head], "test").logits
    other = predict(onnx, real_texts[head], "test").logits  # type: ignore[arg-type]
    read = ~np.isnan(original)
    assert len(real_texts[head].tokens) >= TEXTS
    assert (np.nanstd(original, axis=0) > 0.5).all()
    np.testing.assert_allclose(other[read], original[read], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 512), (3, 33)])
def test_batch_and_length_are_free(
    exported: tuple[PreTrainedModel, OnnxModel, HeadKind], batch: int, length: int
) -> None:
    """RoBERTa and MPNet count positions from 2 on."""
    model, onnx, head = exported
    length = min(length, 510) if model.config.model_type in ("roberta", "mpnet") else length
    generator = torch.Generator().manual_seed(0)
    inputs: dict[str, Any] = {
        "input_ids": torch.randint(5, 3000, (batch, length), generator=generator),
        "attention_mask": torch.ones(batch, length, dtype=torch.long),
        "token_type_ids": torch.zeros(batch, length, dtype=torch.long),
    }
    inputs["attention_mask"][1:, length // 2 :] = 0
    with torch.inference_mode():
        original = model(**{name: inputs[name] for name in onnx.inputs})
    other = onnx(**inputs)
    read = inputs["attention_mask"].bool() if head != "sequence" else slice(None)
    for name in OUTPUTS[head]:
        np.testing.assert_allclose(getattr(other, name)[read], original[name][read], rtol=0, atol=1e-4)


def test_every_task_has_a_head_here() -> None:
    assert {task.head_kind for task in TASKS.values()} == set(HEADS)
