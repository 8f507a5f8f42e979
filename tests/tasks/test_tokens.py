"""Tokens hold what the tokenizer says, and pad as it pads."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from distiller import models
from distiller.tasks import joined, tokenize

TEXTS = [("A long film, and not a good one.",), ("Good.",), ("",), ("It is what it is, what else?",), ("Good.",)]
PAIRS = [("Who wrote it?", "A man from Kent."), ("Who?", "Nobody knows who wrote this book or why."), ("", "")]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return models.load_tokenizer("asset:minilm-l6", "test")


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.sampled_from(["left", "right"]))
def test_a_batch_is_what_the_tokenizer_pads(tokenizer: PreTrainedTokenizerBase, rows: list[int], side: str) -> None:
    tokenizer.padding_side = side
    try:
        tokens = tokenize(TEXTS, tokenizer, 8)
        expected = tokenizer([TEXTS[row][0] for row in rows], truncation=True, max_length=8, padding=True)
    finally:
        tokenizer.padding_side = "right"
    batch = tokens.batch(rows)
    assert batch.keys() == expected.keys()
    assert all(batch[name].tolist() == expected[name] for name in batch)


def test_pairs_of_texts_and_a_given_length(tokenizer: PreTrainedTokenizerBase) -> None:
    first, second = ([pair[column] for pair in PAIRS] for column in (0, 1))
    expected = tokenizer(first, second, padding="max_length", max_length=32)
    batch = tokenize(PAIRS, tokenizer, 32).batch(range(3), length=32)
    assert all(batch[name].tolist() == expected[name] for name in expected)
    assert batch["token_type_ids"].max() == 1


def test_joined_parts_are_the_tokens_of_all_texts(tokenizer: PreTrainedTokenizerBase) -> None:
    whole = tokenize(TEXTS, tokenizer, 16)
    parts = joined([tokenize(texts, tokenizer, 16) for texts in (TEXTS[:2], [], TEXTS[2:])])
    assert torch.equal(parts.lengths, whole.lengths)
    assert all(torch.equal(parts.inputs[name], whole.inputs[name]) for name in whole.inputs)


def test_digests_are_equal_for_equal_inputs_alone(tokenizer: PreTrainedTokenizerBase) -> None:
    digests = tokenize(TEXTS, tokenizer, 16).digests()
    assert digests[1] == digests[4]
    assert len({*digests}) == 4
    assert tokenize(TEXTS[:1], tokenizer, 16).digests() == digests[:1]
    assert tokenize(TEXTS[:1], tokenizer, 5).digests() != digests[:1]  # cut: another input
    one_text = tokenize([("Who? Nobody",)], tokenizer, 16).digests()
    assert tokenize([("Who?", "Nobody")], tokenizer, 16).digests() != one_text
