"""Contexts that are longer than a model can read, as parts that overlap; and where in them answers may be."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from distiller.labels import Answer
from distiller.tasks.tokens import pieces_of
from distiller.words import UNLABELLED

NO_ANSWER = 0
"""The place that says so."""
SPARE_TOKENS = 2
"""So many are left over: a part may be split into other tokens than the whole was at its beginning and end."""
Span = tuple[int, int]


@dataclass(frozen=True)
class Room:
    """What one model reads at once.

    Attributes:
        tokenizer: Its own.
        max_length: In tokens.
        stride: By how many tokens parts of a text overlap.
    """

    tokenizer: PreTrainedTokenizerBase
    max_length: int
    stride: int


@dataclass(frozen=True)
class Passages:
    """Parts of contexts, each with the question that is asked of it.

    Attributes:
        contexts: [questions], whole.
        answers: [questions], all answers to each; None where nobody knows them.
        names: [questions], what the source calls them.
        texts: [passages], the question (cut if it is very long) and the part of the context.
        questions: [passages], of which question each is; those of one question stand together.
        places: [passages], of each place after `NO_ANSWER` the characters of the context where it begins and ends.
        targets: [passages], the places where the answer begins and ends; `NO_ANSWER` both unless all of it is there.
    """

    contexts: list[str]
    answers: list[tuple[Answer, ...] | None]
    names: list[str]
    texts: list[tuple[str, str]]
    questions: list[int]
    places: list[list[Span]]
    targets: list[Span]

    def of(self, kept: NDArray[np.bool_]) -> "Passages":
        """Those of some questions, shape [questions]."""
        here = [place for place, question in enumerate(self.questions) if kept[question]]
        number = np.cumsum(kept) - 1
        return Passages(
            [context for context, is_kept in zip(self.contexts, kept, strict=True) if is_kept],
            [answer for answer, is_kept in zip(self.answers, kept, strict=True) if is_kept],
            [name for name, is_kept in zip(self.names, kept, strict=True) if is_kept],
            [self.texts[place] for place in here],
            [int(number[self.questions[place]]) for place in here],
            [self.places[place] for place in here],
            [self.targets[place] for place in here],
        )


def cut(
    texts: Sequence[tuple[str, ...]],
    answers: Sequence[tuple[Answer, ...] | None],
    names: Sequence[str],
    rooms: Sequence[Room],
) -> Passages:
    """Parts of contexts that every model can read with the question, each as long as may be.

    Of a question that takes more than half of the room the end is left away, so that the context is not.

    Args:
        texts: Question and context.
        answers: To each; None where nobody knows them. Of several the first is what is learned.
        names: Of the questions.
        rooms: Of the models that are to read the same parts.
    """
    measures = [_Measure(room) for room in rooms]
    found = Passages([context for _, context in texts], [*answers], [*names], [], [], [], [])
    for number, (question, context) in enumerate(texts):
        asked = _shortened(question, measures)
        pieces = pieces_of(context)
        known = answers[number]
        answer = None if not known else _pieces_within(known[0], pieces)
        for first, end in _windows(asked, context, measures):
            begins = pieces[first - 1][1] if first > 0 else 0
            stops = pieces[end - 1][1] if end < len(pieces) else len(context)
            found.texts.append((asked, context[begins:stops]))
            found.questions.append(number)
            found.places.append(pieces[first:end])
            found.targets.append((UNLABELLED, UNLABELLED) if known is None else _target(answer, first, end))
    return found


def _target(answer: Span | None, first: int, end: int) -> Span:
    """The places of an answer of these pieces in a part of these."""
    if answer is None or answer[0] < first or answer[1] >= end:
        return NO_ANSWER, NO_ANSWER
    return answer[0] - first + 1, answer[1] - first + 1


def _pieces_within(answer: Answer, pieces: Sequence[Span]) -> Span:
    """The first piece of an answer, and the last."""
    starts = [start for start, _ in pieces]
    text = answer.text.strip()
    begins = answer.start + answer.text.index(text)
    first = max(0, bisect_right(starts, begins) - 1)
    return first, max(first, bisect_right(starts, begins + len(text) - 1) - 1)


def nearest_read(target: Span, begins: Sequence[bool], ends: Sequence[bool]) -> Span:
    """The places of an answer, or the nearest around it in which any token begins and any ends: some hold several.

    Args:
        target: Two places, or `NO_ANSWER` or `UNLABELLED` twice.
        begins: Of each place whether any token begins there.
        ends: And ends.
    """
    first, last = target
    if first in (UNLABELLED, NO_ANSWER):
        return target
    before = [*range(first, 0, -1), *range(first + 1, len(begins))]
    after = [*range(last, len(ends)), *range(last - 1, 0, -1)]
    first, last = (
        next((at for at in order if read[at]), NO_ANSWER) for order, read in ((before, begins), (after, ends))
    )
    return (first, last) if 0 < first <= last else (NO_ANSWER, NO_ANSWER)


class _Measure:
    """How many tokens of one model a text takes."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._tokenizer: Any = room.tokenizer
        self.special = int(self._tokenizer.num_special_tokens_to_add(pair=True)) + SPARE_TOKENS
        self.tokens_before = lru_cache(maxsize=4)(self._tokens_before)

    def _tokens_before(self, text: str) -> list[int]:
        """Before each piece of a text, and in all of it: so many tokens, special ones left out."""
        starts = [start for start, _ in pieces_of(text)]
        counts = [0] * max(1, len(starts))
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        for start, end in encoded["offset_mapping"]:
            inside = start + len(text[start:end]) - len(text[start:end].lstrip())
            counts[max(0, bisect_right(starts, inside) - 1)] += 1
        return [*accumulate(counts, initial=0)]

    def beginning(self, question: str) -> str:
        """As much of a question as takes half of the room, where one word alone takes more."""
        most = (self.room.max_length - self.special) // 2
        if self.tokens_before(question)[-1] <= most:
            return question
        encoded = self._tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return question[: max(1, encoded["offset_mapping"][most - 1][1])]


def _shortened(question: str, measures: Sequence[_Measure]) -> str:
    pieces = pieces_of(question)
    kept = len(pieces)
    for measure in measures:
        most = (measure.room.max_length - measure.special) // 2
        before = measure.tokens_before(question)
        while kept > 1 and before[kept] > most:
            kept -= 1
    shorter = question if kept == len(pieces) else question[: pieces[kept - 1][1]]
    return min((measure.beginning(shorter) for measure in measures), key=len)


def _windows(question: str, context: str, measures: Sequence[_Measure]) -> Iterator[Span]:
    """The pieces of each part: the first, and that after the last."""
    room = [m.room.max_length - m.special - m.tokens_before(question)[-1] for m in measures]
    before = [measure.tokens_before(context) for measure in measures]
    count = len(before[0]) - 1
    first = 0
    while True:
        end = first + 1
        while end < count and all(
            tokens[end + 1] - tokens[first] <= most for tokens, most in zip(before, room, strict=True)
        ):
            end += 1
        yield first, end
        if end >= count:
            return
        first = _next_first(
            first, end, before, [min(m.room.stride, most // 2) for m, most in zip(measures, room, strict=True)]
        )


def _next_first(first: int, end: int, before: Sequence[Sequence[int]], strides: Sequence[int]) -> int:
    """The earliest piece from which on no more than the stride is read again."""
    begin = end
    while begin - 1 > first and all(
        tokens[end] - tokens[begin - 1] <= stride for tokens, stride in zip(before, strides, strict=True)
    ):
        begin -= 1
    return begin
