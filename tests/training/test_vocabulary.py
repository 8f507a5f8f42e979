"""Training the rows of the vocabulary that texts have is training all of it."""

import copy

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    CanineConfig,
    PreTrainedModel,
    get_linear_schedule_with_warmup,
)

from architectures import ARCHITECTURES, INPUTS, drawn
from distiller import models
from distiller.training.vocabulary import SeenRows, seen_rows_trained

SEEN = torch.tensor([5, 0, 1, *range(5, 17)])
OTHER = {"input_ids": torch.tensor([[2, 59, 5, 40, 33, 16]]), "attention_mask": torch.ones(1, 6, dtype=torch.long)}
RATES = [0.05, 0.2, 0.1]


def train(model: PreTrainedModel, read: list[torch.Tensor]) -> None:
    """A few steps of AdamW with a learning rate that changes; what is not in training is asked after each."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=0.3)
    for part in model.modules():
        if isinstance(part, SeenRows):
            part.decay_with(optimizer)
    for step, rate in enumerate(RATES):
        optimizer.param_groups[0]["lr"] = rate
        model.train()
        with models.seeded(step):
            model(**INPUTS).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            read.append(model(**OTHER).logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_are_those_of_training_the_whole_table(architecture: str) -> None:
    """The rows that no text has, which decay, among them; and so is what it says of texts that have them."""
    whole, cut = drawn(architecture), drawn(architecture)
    of_whole: list[torch.Tensor] = []
    of_cut: list[torch.Tensor] = []
    train(whole, of_whole)
    names = [*cut.state_dict()]
    with seen_rows_trained(cut, SEEN):
        assert len(cut.get_input_embeddings().weight) == 14
        train(cut, of_cut)
    assert [*cut.state_dict()] == names
    assert type(cut.get_input_embeddings()) is nn.Embedding
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(cut.state_dict()[name], value, rtol=1e-4, atol=1e-5, msg=name)
    for one, other in zip(of_whole, of_cut, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    padding = whole.get_input_embeddings().padding_idx
    assert cut.get_input_embeddings().padding_idx == padding


def test_rows_that_no_text_has_decay_by_each_step() -> None:
    model = drawn("bert")
    before = model.get_input_embeddings().weight[40].detach().clone()
    with seen_rows_trained(model, SEEN):
        train(model, [])
    expected = before * (1 - 0.05 * 0.3) * (1 - 0.2 * 0.3) * (1 - 0.1 * 0.3)
    torch.testing.assert_close(model.get_input_embeddings().weight[40].detach(), expected)


def test_rates_are_those_of_the_schedule_where_the_optimizer_is_wrapped() -> None:
    """The Trainer's way: accelerate gives the optimizer other groups, and a schedule changes the rate of these."""
    model = drawn("bert")
    before = model.get_input_embeddings().weight[40].detach().clone()
    with seen_rows_trained(model, SEEN):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
        model.get_input_embeddings().decay_with(optimizer)
        wrapped = Accelerator(cpu=True).prepare(optimizer)
        schedule = get_linear_schedule_with_warmup(wrapped, 2, 4)
        for _ in range(4):
            model.train()(**INPUTS).logits.sum().backward()
            wrapped.step()
            schedule.step()
            wrapped.zero_grad()
    rates = [0.0, 0.05, 0.1, 0.05]
    expected = before * np.prod([1 - rate * 0.5 for rate in rates])
    torch.testing.assert_close(model.get_input_embeddings().weight[40].detach(), expected, rtol=1e-5, atol=1e-6)


def test_the_models_own_padding_is_trained_too_though_no_text_has_it() -> None:
    """Its config names another token for that than the tokenizer does."""
    config = copy.deepcopy(ARCHITECTURES["bert"])
    config.pad_token_id = 30
    model = AutoModelForSequenceClassification.from_config(config)
    with seen_rows_trained(model, SEEN):
        model.train()(**INPUTS)
    assert model.get_input_embeddings().padding_idx == 30


def test_a_model_without_word_embeddings_is_left_alone() -> None:
    config = CanineConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    model = AutoModelForSequenceClassification.from_config(config)
    with seen_rows_trained(model, SEEN):
        assert not [part for part in model.modules() if isinstance(part, SeenRows)]


def test_a_checkpoint_knows_how_far_the_other_rows_have_decayed() -> None:
    first, second = drawn("bert"), drawn("bert")
    with seen_rows_trained(first, SEEN), seen_rows_trained(second, SEEN):
        train(first, [])
        second.load_state_dict(first.state_dict())
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)


def test_a_token_that_training_was_not_to_have_is_an_error() -> None:
    model = drawn("bert").train()
    with seen_rows_trained(model, SEEN), pytest.raises(IndexError):
        model(**OTHER)


def test_the_table_is_whole_again_after_an_error() -> None:
    model = drawn("mpnet")
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(KeyboardInterrupt), seen_rows_trained(model, SEEN):
        raise KeyboardInterrupt
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_embeddings_that_are_used_otherwise_too_are_left_alone() -> None:
    model = drawn("bert")
    model.head = nn.Linear(16, 60, bias=False)
    model.head.weight = model.get_input_embeddings().weight
    with seen_rows_trained(model, SEEN):
        assert type(model.get_input_embeddings()) is nn.Embedding


def test_a_vocabulary_that_training_has_whole_is_left_alone() -> None:
    model = drawn("bert")
    with seen_rows_trained(model, torch.arange(60)):
        assert type(model.get_input_embeddings()) is nn.Embedding
