"""Tokenised texts, and how some of them become a batch."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, Literal

import regex
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from distiller.words import NO_TOKEN, NO_WORD, NOT_READ, PLACES, WORDS

DIGEST_BYTES = 16
Segmentation = Literal["spaces", "pieces"]
"""What a word is: what stands between single spaces; or letters and digits together, and every other sign.

Of scripts that have no spaces between words, each letter is a piece.
"""
_WITHOUT_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_PIECE = regex.compile(rf"[{_WITHOUT_SPACES}]\p{{M}}*|(?:(?![{_WITHOUT_SPACES}])[\p{{L}}\p{{N}}_]\p{{M}}*)+|\S\p{{M}}*")


@dataclass(frozen=True)
class Words:
    """Where the words of texts are among their tokens.

    Attributes:
        counts: [texts], words a text.
        first: [words of all texts], the first token of each in its text, or `NOT_READ`.
        end: [words of all texts], the token after its last; that of a word that is not read is `NOT_READ` too.
        segmentation: What a word is.
        answers: Where an answer can begin and end; None if nobody asks.
    """

    counts: Tensor
    first: Tensor
    end: Tensor
    segmentation: Segmentation
    answers: "Answers | None" = None

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

    @property
    def said(self) -> Tensor:
        """[texts], of how many words of each, or places of answers, a model says something."""
        return self.counts if self.answers is None else self.counts - self.answers.questions + 1

    def answer_places(self, texts: Sequence[int], before: Tensor) -> dict[str, Tensor]:
        """[batch, places, 2], as `PLACES` says, where so many positions [batch, 1] stand before each text."""
        if self.answers is None:
            return {}
        chosen = torch.as_tensor(texts)
        number = torch.arange(int(self.said[chosen].max()) - 1) + self.answers.questions[chosen].unsqueeze(-1)
        valid = number < self.counts[chosen].unsqueeze(-1)
        index = torch.where(valid, self.starts[chosen].unsqueeze(-1) + number, 0)
        own = torch.stack([self.answers.begins[index], self.answers.ends[index]], dim=-1)
        own = torch.where(own == NO_TOKEN, NO_TOKEN, own + before.unsqueeze(-1))
        own = torch.where(valid.unsqueeze(-1), own, NO_WORD)
        none = (self.answers.none[chosen].unsqueeze(-1) + before).unsqueeze(-1).expand(-1, -1, 2)
        return {PLACES: torch.cat([none, own], dim=1)}

    def read_places(self, text: int) -> tuple[list[bool], list[bool]]:
        """Of each place of answers in a text, whether any token begins there, and whether any ends."""
        places = self.answer_places([text], torch.zeros(1, 1, dtype=torch.long))[PLACES][0]
        begins, ends = (places >= 0).T.tolist()
        return begins, ends

    @cached_property
    def starts(self) -> Tensor:
        """[texts], the number of the first word of each."""
        return self.counts.cumsum(0) - self.counts


@dataclass(frozen=True)
class Answers:
    """Where in texts answers can begin and end.

    Attributes:
        questions: [texts], how many of the words stand in the first of two texts, and so are no part of an answer.
        none: [texts], the token at which a model says that there is none.
        begins: [words of all texts], the first token that begins in each, or `NO_TOKEN`.
        ends: [words of all texts], the last token that ends in each, or `NO_TOKEN`.
    """

    questions: Tensor
    none: Tensor
    begins: Tensor
    ends: Tensor


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

        Where words are asked for, `words` [batch, words, 2] says at which positions each is; `places` of answers too.
        """
        chosen = torch.as_tensor(texts)
        own = self.lengths[chosen].unsqueeze(-1)
        position = torch.arange(self.length_of(texts) if length is None else length)
        before = len(position) - own if self.pads_left else torch.zeros_like(own)
        position = position - before
        absent = (position < 0) | (position >= own)
        index = (self._starts[chosen].unsqueeze(-1) + position).masked_fill_(absent, 0)
        batch = {
            name: all_.index_select(0, index.view(-1)).view(index.shape).masked_fill_(absent, self.padding[name])
            for name, all_ in self.inputs.items()
        }
        if self.words is None:
            return batch
        return {**batch, WORDS: self.words.places(texts, before), **self.words.answer_places(texts, before)}

    def digests(self) -> list[bytes]:
        """Of each text 16 bytes of BLAKE2b over the names and numbers of its inputs: equal for equal inputs alone."""
        parts = [(name, self.inputs[name], self._starts, self.lengths) for name in sorted(self.inputs)]
        if self.words is not None:
            where = self.words.starts, self.words.counts
            parts += [("first", self.words.first, *where), ("end", self.words.end, *where)]
            answers, one_each = self.words.answers, (torch.arange(len(self)), torch.ones_like(self.lengths))
            if answers is not None:
                parts += [("begins", answers.begins, *where), ("ends", answers.ends, *where)]
                parts += [("questions", answers.questions, *one_each), ("none", answers.none, *one_each)]
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
    *,
    answers: bool = False,
) -> Tokens:
    """Texts (one or two columns) as tokens, cut at `max_length`; of two the longer loses its end first.

    Args:
        texts: Any.
        tokenizer: A fast one if words are asked for.
        max_length: In tokens.
        words: What the words are of which it is to be known where they are; None if nobody asks.
        answers: Whether answers are looked for in the second of two texts.
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
        _words(texts, encoded, words, _no_answer(encoded, tokenizer) if answers else None)
        if words is not None and texts
        else None,
    )


def _no_answer(encoded: Any, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Of each text the token that stands for all of it: the first, or the last of XLNet."""
    own: Any = tokenizer.cls_token_id
    return [tokens.index(own) if own in tokens else 0 for tokens in encoded["input_ids"]]


def words_of(text: str, segmentation: Segmentation) -> list[int]:
    """The characters at which its words begin: what single spaces part, or pieces of letters, or else single signs."""
    if segmentation == "pieces":
        return [start for start, _ in pieces_of(text)]
    return [0, *(place + 1 for place, character in enumerate(text) if character == " ")]


@lru_cache(maxsize=2**14)
def pieces_of(text: str) -> list[tuple[int, int]]:
    """The characters at which its pieces begin and end."""
    return [piece.span() for piece in _PIECE.finditer(text)]


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
    """Of each token of a row which text it is of, and where it begins there; some begin with white space before it.

    What stands for the space alone, and so for no character, is of the word that begins there, as transformers has it.
    """
    found = []
    for side, (start, end) in zip(encoded.sequence_ids(row), encoded["offset_mapping"][row], strict=True):
        if side is None or (start == end and start not in starts[side]):
            found.append((-1, 0))
            continue
        piece = texts[side][start:end]
        found.append((side, start + len(piece) - len(piece.lstrip())))
    return found


def _words(
    texts: Sequence[tuple[str, ...]], encoded: Any, segmentation: Segmentation, no_answer: Sequence[int] | None
) -> Words:
    starts = [[words_of(side, segmentation) for side in text] for text in texts]
    places = [words_at(starts[row], _spans(text, encoded, row, starts[row])) for row, text in enumerate(texts)]
    flat = torch.tensor([place for of_text in places for place in of_text], dtype=torch.long).view(-1, 2)
    counts = torch.tensor([*map(len, places)], dtype=torch.long)
    answers = None if no_answer is None else _answers(texts, encoded, starts, no_answer)
    return Words(counts, flat[:, 0], flat[:, 1], segmentation, answers)


def _answers(
    texts: Sequence[tuple[str, ...]], encoded: Any, starts: Sequence[Sequence[Sequence[int]]], no_answer: Sequence[int]
) -> Answers:
    bounds = [bound for row, text in enumerate(texts) for bound in _bounds(text, encoded, row, starts[row])]
    begins, ends = torch.tensor(bounds, dtype=torch.long).view(-1, 2).unbind(dim=-1)
    questions = torch.tensor([len(of_text[0]) for of_text in starts], dtype=torch.long)
    return Answers(questions, torch.tensor(no_answer, dtype=torch.long), begins, ends)


def _bounds(texts: Sequence[str], encoded: Any, row: int, starts: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Of each word of a row the first token that begins in it and the last that ends there; `NO_TOKEN` if none does.

    Tokens that stand for no character do neither.
    """
    before = [*accumulate(map(len, starts), initial=0)]
    begins, ends = [NO_TOKEN] * before[-1], [NO_TOKEN] * before[-1]
    sides = encoded.sequence_ids(row)
    for number, (side, (start, end)) in enumerate(zip(sides, encoded["offset_mapping"][row], strict=True)):
        piece = "" if side is None else texts[side][start:end]
        if side is None or not piece.strip():
            continue
        first = bisect_right(starts[side], start + len(piece) - len(piece.lstrip())) - 1
        last = bisect_right(starts[side], start + len(piece.rstrip()) - 1) - 1
        if first >= 0 and begins[before[side] + first] == NO_TOKEN:
            begins[before[side] + first] = number
        if last >= 0:
            ends[before[side] + last] = number
    return [*zip(begins, ends, strict=True)]


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Texts that one tokenizer has split, one part after the other."""
    parts = [part for part in parts if len(part) > 0] or parts[:1]
    first = parts[0]
    inputs = {name: torch.cat([part.inputs[name] for part in parts]) for name in first.inputs}
    lengths = torch.cat([part.lengths for part in parts])
    words = [part.words for part in parts if part.words is not None]
    return Tokens(inputs, lengths, first.padding, first.pads_left, _joined_words(words) if words else None)


def _joined_words(parts: Sequence[Words]) -> Words:
    counts, first, end = (torch.cat([getattr(part, name) for part in parts]) for name in ("counts", "first", "end"))
    answers = [part.answers for part in parts if part.answers is not None]
    names = ("questions", "none", "begins", "ends")
    joined = [torch.cat([getattr(part, name) for part in answers]) for name in names] if answers else []
    return Words(counts, first, end, parts[0].segmentation, Answers(*joined) if joined else None)
