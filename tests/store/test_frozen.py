"""A frozen teacher says the same of a text whatever stands beside it, and what transformers says."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from distiller import models
from distiller.models import Reading
from distiller.store import FrozenTeacher
from distiller.store.config import Format
from distiller.tasks import Tokens, tokenize

TEXTS = [
    ("Good.",),
    ("A long film, and not a good one, however often one tries to watch it to its end.",),
    ("It is what it is, what else?",),
    ("Who would have thought that this much could be made of so little, and by so few?",),
    ("No.",),
    ("So it goes, " * 9,),
    ("So it goes, " * 9 + "on",),
]


@pytest.fixture(scope="module")
def teacher() -> PreTrainedModel:
    return models.load_classifier("asset:minilm-l6", {"num_labels": 3}, "test", seed=0)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return models.load_tokenizer("asset:minilm-l6", "test")


@pytest.fixture(scope="module")
def tokens(tokenizer: PreTrainedTokenizerBase) -> Tokens:
    return tokenize(TEXTS, tokenizer, 64)


READINGS = [
    Reading("hidden_states", (0, 3, 6), "cls"),
    Reading("hidden_states", (0, 3, 6), "mean"),
    Reading("hidden_states", (0, 3, 6)),
    Reading("attention_maps", (1, 6)),
    Reading("attention_vectors", (1, 6)),
]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: f"{reading.kind}-{reading.feature}")
def test_what_it_says_of_a_text_does_not_depend_on_the_others_bit_for_bit(
    teacher: PreTrainedModel, tokens: Tokens, reading: Reading, dtype: Format
) -> None:
    frozen = FrozenTeacher.of(teacher, reading, dtype, longest=512)
    with frozen.ready():
        together = frozen(frozen.questions(tokens, range(len(TEXTS))), len(TEXTS), int(tokens.lengths.max()))
        for text, length in enumerate(tokens.lengths.tolist()):
            alone = frozen(frozen.questions(tokens, [text]), 1, length)
            assert torch.equal(together.logits[text], alone.logits[0])
            for layer in reading.layers:
                of_text = together.layers[layer][text][..., : 1 if reading.feature else length, :]
                if reading.kind == "attention_maps":
                    of_text = of_text[..., :length]
                assert torch.equal(of_text, alone.layers[layer][0])


def test_it_says_what_transformers_says(
    teacher: PreTrainedModel, tokens: Tokens, tokenizer: PreTrainedTokenizerBase
) -> None:
    batch = tokenizer([text for (text,) in TEXTS], padding=True, truncation=True, max_length=64, return_tensors="pt")
    with torch.no_grad():
        expected = teacher(**batch, output_hidden_states=True)
    tolerances: dict[Format, float] = {"float32": 1e-5, "bfloat16": 0.05}
    for dtype, tolerance in tolerances.items():
        frozen = FrozenTeacher.of(teacher, Reading("hidden_states", (2,)), dtype, longest=512)
        said = frozen(frozen.questions(tokens, range(len(TEXTS))), *batch["input_ids"].shape)
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
    cut = Tokens(
        {name: numbers[:41] for name, numbers in tokens.inputs.items()},
        torch.tensor([41]),
        tokens.padding,
        pads_left=False,
    )
    for positions, length in ((41, 41), (64, 42)):
        frozen = FrozenTeacher.of(_short(positions), None, "float32", longest=positions)
        ((_, inputs),) = frozen.questions(cut, [0])
        assert inputs["input_ids"].shape == (4, length)
        assert np.isfinite(frozen(frozen.questions(cut, [0]), 1, 41).logits.numpy()).all()


@given(st.lists(st.integers(1, 600), min_size=1, max_size=20))
def test_each_text_is_read_at_a_length_of_its_own_that_is_little_more_than_it_has(lengths: list[int]) -> None:
    frozen = FrozenTeacher.of(_short(positions=512), None, "float32", longest=512)
    tokens = _numbered(lengths)
    read_at = frozen.lengths(tokens).tolist()
    seen = []
    for rows, inputs in frozen.questions(tokens, range(len(lengths))):
        assert len(inputs["input_ids"]) % 4 == 0
        for row, ids in zip(rows.tolist(), inputs["input_ids"].tolist(), strict=False):
            seen.append(row)
            assert len(ids) == read_at[row]
            assert ids == [row + 1] * lengths[row] + [0] * (len(ids) - lengths[row])
            assert lengths[row] <= len(ids) <= max(lengths[row], min(512, 1.0625 * lengths[row] + 1))
    assert sorted(seen) == [*range(len(lengths))]
    assert len({read_at[row] for row, length in enumerate(lengths) if 32 < length <= 64}) <= 16


def _numbered(lengths: list[int]) -> Tokens:
    """Texts whose tokens are all the number of the text, from 1."""
    ids = torch.arange(1, len(lengths) + 1).repeat_interleave(torch.tensor(lengths))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return Tokens(inputs, torch.tensor(lengths), dict.fromkeys(inputs, 0), pads_left=False)


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
