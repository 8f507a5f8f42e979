"""Tokenised texts, and how some of them become a batch."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from distiller.words import NO_WORD, NOT_READ, WORDS

DIGEST_BYTES = 16


@dataclass(frozen=True)
class Words:
    """Where the words of texts are among their tokens.

    Attributes:
        counts: [texts], words a text.
        first: [words of all texts], the first token of each in its text, or `NOT_READ`.
    """

    counts: Tensor
    first: Tensor

    def of(self, texts: Sequence[int], known: Tensor, padding: float) -> Tensor:
        """[batch, words]: what is known of each word of some texts, of `known` [words of all texts]."""
        chosen = torch.as_tensor(texts)
        counts = self.counts[chosen].unsqueeze(-1)
        number = torch.arange(int(counts.max()))
        valid = number < counts
        return torch.where(valid, known[torch.where(valid, self.starts[chosen].unsqueeze(-1) + number, 0)], padding)

    @cached_property
    def starts(self) -> Tensor:
        """[texts], the number of the first word of each."""
        return self.counts.cumsum(0) - self.counts


@dataclass(frozen=True)
class Tokens:
    """Texts as a tokenizer splits them, one after the other in one tensor an input, so that a batch is one gathering.

    Attributes:
        inputs: By the model's name for them (`input_ids`, `attention_mask`, …), each [tokens of all texts].
        lengths: [texts], tokens a text.
        padding: By the same names, what stands where a text has no token.
        pads_left: Whether that is before the text.
        words: Where the words are; None if nobody asks.
    """

    inputs: Mapping[str, Tensor]
    lengths: Tensor
    padding: Mapping[str, int]
    pads_left: bool
    words: Words | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def _starts(self) -> Tensor:
        return self.lengths.cumsum(0) - self.lengths

    def length_of(self, texts: Sequence[int], multiple_of: int = 1, at_most: int | None = None) -> int:
        """How long a batch of some texts is: as the longest of them, rounded up, but not beyond `at_most`.

        Texts that are padded on the left are not moved by rounding.
        """
        longest = int(self.lengths[torch.as_tensor(texts)].max())
        if self.pads_left:
            return longest
        rounded = -(-longest // multiple_of) * multiple_of
        return rounded if at_most is None else min(rounded, max(longest, at_most))

    def batch(self, texts: Sequence[int], length: int | None = None) -> dict[str, Tensor]:
        """Some of the texts, each tensor [batch, length]; without a length, that of the longest of them.

        Where words are asked for, `words` [batch, words] says at which position each begins.
        """
        chosen = torch.as_tensor(texts)
        own = self.lengths[chosen].unsqueeze(-1)
        position = torch.arange(self.length_of(texts) if length is None else length)
        before = len(position) - own if self.pads_left else torch.zeros_like(own)
        position = position - before
        valid = (position >= 0) & (position < own)
        index = torch.where(valid, self._starts[chosen].unsqueeze(-1) + position, 0)
        batch = {name: torch.where(valid, all_[index], self.padding[name]) for name, all_ in self.inputs.items()}
        if self.words is None:
            return batch
        first = self.words.of(texts, self.words.first, NO_WORD)
        return {**batch, WORDS: torch.where(first >= 0, first + before, first)}

    def digests(self) -> list[bytes]:
        """Of each text 16 bytes of BLAKE2b over the names and numbers of its inputs: equal for equal inputs alone."""
        parts = [(name, self.inputs[name], self._starts, self.lengths) for name in sorted(self.inputs)]
        if self.words is not None:
            parts.append((WORDS, self.words.first, self.words.starts, self.words.counts))
        columns = [
            (name.encode(), numbers.numpy(), starts.tolist(), counts.tolist())
            for name, numbers, starts, counts in parts
        ]
        found = []
        for text in range(len(self)):
            digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
            for name, numbers, starts, counts in columns:
                digest.update(name)
                digest.update(numbers[starts[text] : starts[text] + counts[text]].tobytes())
            found.append(digest.digest())
        return found


def tokenize(
    texts: Sequence[tuple[str, ...]], tokenizer: PreTrainedTokenizerBase, max_length: int, *, of_words: bool = False
) -> Tokens:
    """Texts (one or two columns) as tokens, cut at `max_length`; of two the longer loses its end first.

    Args:
        texts: Any.
        tokenizer: A fast one if words are asked for.
        max_length: In tokens.
        of_words: Whether to say where the words of the (one) text begin, which are what single spaces part.
    """
    padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    names = tokenizer.model_input_names
    encoded: Mapping[str, list[Any]] = {name: [] for name in [*names, "offset_mapping"]}
    if texts:
        columns = [list(column) for column in zip(*texts, strict=True)]
        encoded = tokenizer(*columns, truncation=True, max_length=max_length, return_offsets_mapping=of_words)
        names = [name for name in names if name in encoded]
    return Tokens(
        {name: torch.tensor([number for text in encoded[name] for number in text], dtype=torch.long) for name in names},
        torch.tensor([len(text) for text in encoded["input_ids"]], dtype=torch.long),
        {name: padding.get(name, 0) for name in names},
        tokenizer.padding_side == "left",
        _words([text for (text,) in texts], encoded["offset_mapping"]) if of_words else None,
    )


def _words(texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> Words:
    first = [*map(words_at, texts, spans)]
    counts = torch.tensor([len(of_text) for of_text in first], dtype=torch.long)
    return Words(counts, torch.tensor([place for of_text in first for place in of_text], dtype=torch.long))


def words_at(text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
    """Of each word of a text, as single spaces part them, the number of its first token, or that there is none.

    Args:
        text: Without spaces at its ends.
        spans: Of each token the first character and that after the last; empty for what stands for no character.
    """
    starts = [0, *(place + 1 for place, character in enumerate(text) if character == " ")]
    first = [NOT_READ] * len(starts)
    for number, (start, end) in enumerate(spans):
        before = len(text[start:end]) - len(text[start:end].lstrip(" "))  # some tokens begin with the space before
        word = bisect_right(starts, start + before) - 1
        if end > start and first[word] == NOT_READ:
            first[word] = number
    return first


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Texts that one tokenizer has split, one part after the other."""
    parts = [part for part in parts if len(part) > 0] or parts[:1]
    first = parts[0]
    inputs = {name: torch.cat([part.inputs[name] for part in parts]) for name in first.inputs}
    lengths = torch.cat([part.lengths for part in parts])
    words = [part.words for part in parts if part.words is not None]
    places = Words(torch.cat([one.counts for one in words]), torch.cat([one.first for one in words])) if words else None
    return Tokens(inputs, lengths, first.padding, first.pads_left, places)
