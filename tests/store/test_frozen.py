"""A frozen teacher says the same of a text whatever stands beside it, and what transformers says."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from distiller import models
from distiller.models import Reading
from distiller.store import FrozenTeacher
from distiller.tasks import Tokens, tokenize

TEXTS = [
    ("Good.",),
    ("A long film, and not a good one, however often one tries to watch it to its end.",),
    ("It is what it is, what else?",),
    ("Who would have thought that this much could be made of so little, and by so few?",),
    ("No.",),
]


@pytest.fixture(scope="module")
def teacher() -> PreTrainedModel:
    return models.load_classifier("asset:minilm-l6", {"num_labels": 3}, "test", seed=0)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return models.load_tokenizer("asset:minilm-l6", "test")


@pytest.fixture(scope="module")
def tokens(tokenizer: PreTrainedTokenizerBase) -> Tokens:
    return tokenize(TEXTS, tokenizer, 32)


READINGS = [
    Reading("hidden_states", (0, 3, 6), "cls"),
    Reading("hidden_states", (0, 3, 6), "mean"),
    Reading("hidden_states", (0, 3, 6)),
    Reading("attention_maps", (1, 6)),
    Reading("attention_vectors", (1, 6)),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: f"{reading.kind}-{reading.feature}")
def test_what_it_says_of_a_text_does_not_depend_on_the_others_bit_for_bit(
    teacher: PreTrainedModel, tokens: Tokens, reading: Reading
) -> None:
    frozen = FrozenTeacher.of(teacher, reading, "float32", longest=512)
    with frozen.ready():
        together = frozen(frozen.inputs(tokens, range(5)), 5, int(tokens.lengths.max()))
        for text, length in enumerate(tokens.lengths.tolist()):
            alone = frozen(frozen.inputs(tokens, [text]), 1, length)
            assert torch.equal(together.logits[text], alone.logits[0])
            for layer in reading.layers:
                of_text = together.layers[layer][text][..., : 1 if reading.feature else length, :]
                if reading.kind == "attention_maps":
                    of_text = of_text[..., :length]
                assert torch.equal(of_text, alone.layers[layer][0])


def test_it_says_what_transformers_says(
    teacher: PreTrainedModel, tokens: Tokens, tokenizer: PreTrainedTokenizerBase
) -> None:
    batch = tokenizer([text for (text,) in TEXTS], padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.no_grad():
        expected = teacher(**batch, output_hidden_states=True)
    for dtype, tolerance in (("float32", 1e-5), ("bfloat16", 0.05)):
        frozen = FrozenTeacher.of(teacher, Reading("hidden_states", (2,)), dtype, longest=512)  # type: ignore[arg-type]
        said = frozen(frozen.inputs(tokens, range(5)), *batch["input_ids"].shape)
        assert said.logits.dtype is said.layers[2].dtype is getattr(torch, dtype)
        valid = batch["attention_mask"].bool()
        states = expected.hidden_states[2][valid]
        assert (said.layers[2].float()[valid] - states).norm() < tolerance * states.norm()
        assert torch.allclose(said.logits.float(), expected.logits, atol=tolerance)


def test_the_teacher_itself_stays_as_it_is(teacher: PreTrainedModel) -> None:
    before = models.fingerprint(teacher)
    FrozenTeacher.of(teacher, None, "bfloat16", longest=512)
    assert models.fingerprint(teacher) == before


def test_no_batch_is_longer_than_the_teacher_reads(tokens: Tokens) -> None:
    frozen = FrozenTeacher.of(_short(positions=20), None, "float32", longest=20)
    cut = Tokens(
        {name: numbers[:18] for name, numbers in tokens.inputs.items()},
        torch.tensor([18]),
        tokens.padding,
        pads_left=False,
    )
    assert frozen.inputs(cut, [0])["input_ids"].shape[1] == 20
    assert np.isfinite(frozen(frozen.inputs(cut, [0]), 1, 18).logits.numpy()).all()
    assert FrozenTeacher.of(_short(positions=64), None, "float32", 64).inputs(cut, [0])["input_ids"].shape[1] == 32


def _short(positions: int) -> PreTrainedModel:
    from transformers import BertConfig

    config = BertConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=positions,
    )
    with models.seeded(0):
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    return model
