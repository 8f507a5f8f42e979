"""Tokenised texts, and how some of them become a batch."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

import regex
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from distiller.words import NO_WORD, NOT_READ, WORDS

DIGEST_BYTES = 16
Segmentation = Literal["spaces", "pieces"]
"""What a word is: what stands between single spaces; or letters and digits together, and every other sign."""
_PIECE = regex.compile(r"(?:[\p{L}\p{N}_]\p{M}*)+|\S\p{M}*")


@dataclass(frozen=True)
class Words:
    """Where the words of texts are among their tokens.

    Attributes:
        counts: [texts], words a text.
        first: [words of all texts], the first token of each in its text, or `NOT_READ`.
        end: [words of all texts], the token after its last; that of a word that is not read is `NOT_READ` too.
        segmentation: What a word is.
    """

    counts: Tensor
    first: Tensor
    end: Tensor
    segmentation: Segmentation

    def of(self, texts: Sequence[int], known: Tensor, padding: float) -> Tensor:
        """[batch, words]: what is known of each word of some texts, of `known` [words of all texts]."""
        chosen = torch.as_tensor(texts)
        counts = self.counts[chosen].unsqueeze(-1)
        number = torch.arange(int(counts.max()))
        valid = number < counts
        return torch.where(valid, known[torch.where(valid, self.starts[chosen].unsqueeze(-1) + number, 0)], padding)

    def read(self, texts: Sequence[int]) -> Tensor:
        """[batch, words]: whether any token of it is read."""
        return self.of(texts, self.end, NO_WORD) > self.of(texts, self.first, NO_WORD)

    def places(self, texts: Sequence[int], before: Tensor) -> Tensor:
        """[batch, words, 2], as `WORDS` says, where so many positions [batch, 1] stand before each text."""
        first, end = self.of(texts, self.first, NO_WORD), self.of(texts, self.end, NO_WORD)
        moved = torch.where(end > first, before, 0)
        return torch.stack([first + moved, end + moved], dim=-1)

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

        Where words are asked for, `words` [batch, words, 2] says at which positions each is.
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
        return {**batch, WORDS: self.words.places(texts, before)}

    def digests(self) -> list[bytes]:
        """Of each text 16 bytes of BLAKE2b over the names and numbers of its inputs: equal for equal inputs alone."""
        parts = [(name, self.inputs[name], self._starts, self.lengths) for name in sorted(self.inputs)]
        if self.words is not None:
            where = self.words.starts, self.words.counts
            parts += [("first", self.words.first, *where), ("end", self.words.end, *where)]
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
    texts: Sequence[tuple[str, ...]],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    words: Segmentation | None = None,
) -> Tokens:
    """Texts (one or two columns) as tokens, cut at `max_length`; of two the longer loses its end first.

    Args:
        texts: Any.
        tokenizer: A fast one if words are asked for.
        max_length: In tokens.
        words: What the words are of which it is to be known where they are; None if nobody asks.
    """
    padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    names = tokenizer.model_input_names
    encoded: Any = {name: [] for name in names}
    if texts:
        columns = [list(column) for column in zip(*texts, strict=True)]
        asked = {"return_offsets_mapping": True} if words is not None else {}
        encoded = tokenizer(*columns, truncation=True, max_length=max_length, **asked)
        names = [name for name in names if name in encoded]
    return Tokens(
        {name: torch.tensor([number for text in encoded[name] for number in text], dtype=torch.long) for name in names},
        torch.tensor([len(text) for text in encoded["input_ids"]], dtype=torch.long),
        {name: padding.get(name, 0) for name in names},
        tokenizer.padding_side == "left",
        _words(texts, encoded, words) if words is not None and texts else None,
    )


def words_of(text: str, segmentation: Segmentation) -> list[int]:
    """The characters at which its words begin: what single spaces part, or pieces of letters, or else single signs."""
    if segmentation == "pieces":
        return [piece.start() for piece in _PIECE.finditer(text)]
    return [0, *(place + 1 for place, character in enumerate(text) if character == " ")]


def words_at(starts: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of each word, text after text, its first token and that after its last; `NOT_READ` both if there is none.

    Args:
        starts: Of each text the characters at which its words begin.
        spans: Of each token which text it is of, and at which character it begins; of others a text below 0.
    """
    before = [*accumulate(map(len, starts), initial=0)]
    found = [(NOT_READ, NOT_READ)] * before[-1]
    for number, (text, character) in enumerate(spans):
        word = bisect_right(starts[text], character) - 1 if text >= 0 else -1
        if word < 0:
            continue
        first, end = found[before[text] + word]
        found[before[text] + word] = (number if end == NOT_READ else first, number + 1)
    return found


def _spans(texts: Sequence[str], encoded: Any, row: int, starts: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Of each token of a row which text it is of, and where it begins there; some begin with the space before it.

    What stands for the space alone, and so for no character, is of the word that begins there, as transformers has it.
    """
    found = []
    for side, (start, end) in zip(encoded.sequence_ids(row), encoded["offset_mapping"][row], strict=True):
        if side is None or (start == end and start not in starts[side]):
            found.append((-1, 0))
            continue
        piece = texts[side][start:end]
        found.append((side, start + len(piece) - len(piece.lstrip(" "))))
    return found


def _words(texts: Sequence[tuple[str, ...]], encoded: Any, segmentation: Segmentation) -> Words:
    starts = [[words_of(side, segmentation) for side in text] for text in texts]
    places = [words_at(starts[row], _spans(text, encoded, row, starts[row])) for row, text in enumerate(texts)]
    flat = torch.tensor([place for of_text in places for place in of_text], dtype=torch.long).view(-1, 2)
    return Words(torch.tensor([*map(len, places)], dtype=torch.long), flat[:, 0], flat[:, 1], segmentation)


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Texts that one tokenizer has split, one part after the other."""
    parts = [part for part in parts if len(part) > 0] or parts[:1]
    first = parts[0]
    inputs = {name: torch.cat([part.inputs[name] for part in parts]) for name in first.inputs}
    lengths = torch.cat([part.lengths for part in parts])
    words = [part.words for part in parts if part.words is not None]
    if not words:
        return Tokens(inputs, lengths, first.padding, first.pads_left)
    counts, begins, ends = (torch.cat([getattr(one, name) for one in words]) for name in ("counts", "first", "end"))
    return Tokens(inputs, lengths, first.padding, first.pads_left, Words(counts, begins, ends, words[0].segmentation))
