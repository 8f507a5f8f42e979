"""Tokens hold what the tokenizer says, and pad as it pads."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import regex
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from tokenizers.processors import ByteLevel as ByteLevelProcessor
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from distiller import models
from distiller.tasks import joined, tokenize
from distiller.words import NO_WORD, NOT_READ

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


WORDS = st.text(st.characters(exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc")), min_size=1, max_size=6)
STRANGE = ["Schwarzenegger", "n't", "e\u0301te\u0301", "中文", "👩\u200d👧", "שלום", "a\u00a0b"]
SPLITS = st.lists(st.one_of(WORDS, st.sampled_from(STRANGE)), min_size=1, max_size=8)
TEXT = st.one_of(SPLITS.map(" ".join), st.text("ab \u0301,\t\u00a0", max_size=9))


ENGLISH = ["the old dog runs", "a large house"]


def _byte_level(*, trimmed: bool = False) -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=True)
    tokenizer.train_from_iterator(
        ["the old dog runs", "a large house"], BpeTrainer(initial_alphabet=ByteLevel.alphabet())
    )
    tokenizer.post_processor = ByteLevelProcessor(trim_offsets=trimmed)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="!")


def _trimmed() -> PreTrainedTokenizerBase:
    """As RoBERTa has it."""
    return _byte_level(trimmed=True)


def _metaspace() -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(BPE(unk_token="?"))
    tokenizer.pre_tokenizer = Metaspace()
    tokenizer.train_from_iterator(ENGLISH, BpeTrainer(special_tokens=["?"]))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="?")


@pytest.mark.parametrize(
    "make", [None, _byte_level, _trimmed, _metaspace], ids=["wordpiece", "byte-level", "trimmed", "metaspace"]
)
@given(words=SPLITS)
def test_words_begin_where_the_tokenizer_says_that_they_do(
    tokenizer: PreTrainedTokenizerBase, make: Callable[[], PreTrainedTokenizerBase] | None, words: list[str]
) -> None:
    """It is asked for the same words one by one, and says of each token which word it is of."""
    chosen = tokenizer if make is None else make()
    tokens = tokenize([(" ".join(words),)], chosen, 512, "spaces")
    told = chosen([words], is_split_into_words=True).word_ids(0)
    assert tokens.words is not None
    assert tokens.words.counts.tolist() == [len(words)]
    backwards = told[::-1]
    for word, first, end in zip(range(len(words)), tokens.words.first.tolist(), tokens.words.end.tolist(), strict=True):
        if word not in told:
            assert first == end == NOT_READ
            continue
        assert first == told.index(word)
        assert end == len(told) - backwards.index(word)


def test_words_that_are_cut_off_are_not_read_and_a_batch_says_where_words_are(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    texts = [("Who was Schwarzenegger then really",), ("Why",)]
    tokens = tokenize(texts, tokenizer, 8, "spaces")
    pieces = tokenizer.tokenize("Schwarzenegger")
    batch = tokens.batch([1, 0])
    none, unread = [NO_WORD, NO_WORD], [NOT_READ, NOT_READ]
    assert len(pieces) == 3
    assert batch["words"].tolist() == [[[1, 2], none, none, none, none], [[1, 2], [2, 3], [3, 6], [6, 7], unread]]
    padded = replace(tokens, pads_left=True).batch([1, 0])
    assert padded["words"].tolist() == [[[6, 7], none, none, none, none], [[1, 2], [2, 3], [3, 6], [6, 7], unread]]
    assert len({*tokens.digests()}) == 2
    assert tokens.digests() != tokenize(texts, tokenizer, 8).digests()


ALONE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
PIECE = regex.compile(rf"(?:{ALONE}|(?:[\p{{L}}\p{{N}}_--{ALONE}]\p{{M}}*)+|\S)\p{{M}}*", regex.VERSION1)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3))
def test_pieces_of_both_texts_of_a_pair_are_the_same_whatever_tokens_they_are_made_of(
    tokenizer: PreTrainedTokenizerBase, pairs: list[tuple[str, str]]
) -> None:
    """As many of them, and each token that stands for any character belongs to the piece that its offsets lie in."""
    other = _byte_level()
    read = [tokenize(pairs, one, 512, "pieces") for one in (tokenizer, other)]
    assert read[0].words is not None
    assert read[1].words is not None
    assert read[0].words.counts.tolist() == read[1].words.counts.tolist()
    for pair in pairs:
        pieces = [match for side in pair for match in PIECE.finditer(side)]
        encoded = tokenizer(*pair, return_offsets_mapping=True)
        places = tokenize([pair], tokenizer, 512, "pieces").batch([0])["words"][0].tolist()
        for piece, (first, end) in zip(pieces, places, strict=True):
            for start, stop in encoded["offset_mapping"][first:end]:
                assert start >= piece.start()
                assert start < piece.end() or start == stop


@given(st.integers(1, 40), st.integers(1, 40), st.integers(8, 40))
def test_of_a_pair_the_longer_text_loses_its_end_first(
    tokenizer: PreTrainedTokenizerBase, first: int, second: int, length: int
) -> None:
    tokens = tokenize([("one " * first, "two " * second)], tokenizer, length)
    ids = tokens.inputs["input_ids"].tolist()
    left = [ids.count(tokenizer.convert_tokens_to_ids(word)) for word in ("one", "two")]
    room = length - 3
    assert sum(left) == min(first + second, room)
    if first + second > room:
        shorter = min(first, second, room // 2)
        assert min(left) >= shorter
