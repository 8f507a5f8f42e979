"""Texts as words that may be touched, and all that may not: numbers, addresses, versions, whatever is no plain word."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import compress, pairwise, repeat

import numpy as np
import regex
from numpy.typing import NDArray

_LETTERS = r"(?:\p{L}\p{M}*)+"
_WORD = regex.compile(
    rf"""(["'\p{{Ps}}\p{{Pi}}¿¡]*)({_LETTERS}(?:['\u2019\-\u2010]{_LETTERS})*)(["'\p{{Pe}}\p{{Pf}}.,;:!?…]*)"""
)
_BREAK = regex.compile(r"([^\S ]+)")
_NOTHING = ("", "")


class Words:
    """Texts in pieces, as spaces part them; a piece of letters alone, punctuation around them aside, holds a word.

    Words are changed by their number; everything else, white space too, stays as it is.

    Args:
        texts: Any.

    Attributes:
        texts: Those.
        counts: [texts], how many words each has.
        text_of: [words], which text a word is of.
        number_in_text: [words], which of the words of its text it is, from 0.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._breaks: dict[int, list[str]] = {}
        whole = " ".join(texts)
        lines, lines_of_text = (texts, [1] * len(texts)) if whole.isprintable() else self._lines()
        self._pieces = (whole if lines is texts else " ".join(lines)).split(" ") if lines else []
        self._ends = np.cumsum([0, *map(str.count, lines, repeat(" "))]) + np.arange(len(lines) + 1)
        self._affixes: dict[int, tuple[str, str]] = {}
        holds_word = self._find_words()
        self._places = np.flatnonzero(holds_word)
        self._kept = np.ones(len(self._pieces), dtype=np.bool_)
        text_of_line = np.repeat(np.arange(len(texts)), lines_of_text)
        self.text_of: NDArray[np.int64] = np.repeat(text_of_line, np.diff(self._ends))[holds_word]
        self.counts: NDArray[np.int64] = np.bincount(self.text_of, minlength=len(texts))
        self._first = self.counts.cumsum() - self.counts  # the number of the first word of each text that has any
        self.number_in_text: NDArray[np.int64] = np.arange(len(self.text_of)) - self._first[self.text_of]

    def __len__(self) -> int:
        return len(self._places)

    @cached_property
    def _place_of(self) -> list[int]:
        """The places again: to look at one is ten times as fast in a list."""
        places: list[int] = self._places.tolist()
        return places

    def __getitem__(self, word: int) -> str:
        """As it stands there, without the punctuation around it."""
        place = self._place_of[word]
        if place not in self._affixes:
            return self._pieces[place]
        opening, closing = self._affixes[place]
        return self._pieces[place][len(opening) : len(self._pieces[place]) - len(closing)]

    def replace(self, words: NDArray[np.int64] | list[int], others: Sequence[str]) -> None:
        """Put others in the places of some words, each in the case of the word that stood there."""
        pieces, affixes = self._pieces, self._affixes
        for place, other in zip(self._places[words].tolist(), others, strict=True):
            piece = pieces[place]
            if place not in affixes:
                pieces[place] = other if piece.islower() else with_case_of(other, piece)
            else:
                opening, closing = affixes[place]
                core = piece[len(opening) : len(piece) - len(closing)]
                pieces[place] = opening + with_case_of(other, core) + closing

    def put(self, word: int, other: str) -> None:
        """Put another in the place of a word, within its punctuation."""
        place = self._place_of[word]
        opening, closing = self._affixes.get(place, _NOTHING)
        self._pieces[place] = opening + other + closing

    def remove(self, words: NDArray[np.int64]) -> None:
        """Take words away, each with a space; what remains begins with a capital letter if the text did.

        Punctuation around a word goes to the words beside it.
        """
        places = self._places[words]
        self._kept[places] = False
        self._capitalise_what_follows(words[self.number_in_text[words] == 0])
        gone = np.zeros(len(self._pieces), dtype=np.bool_)
        gone[places] = True
        for place in [place for place in self._affixes if gone[place]]:
            self._hand_on(place)

    def joined(self) -> list[str]:
        """The texts as they are now."""
        pieces, ends = self._pieces, self._ends
        if not self._kept.all():
            pieces = [*compress(pieces, self._kept.tolist())]
            ends = np.concatenate([[0], np.cumsum(self._kept)])[ends]
        lines = [" ".join(pieces[start:end]) for start, end in pairwise(ends.tolist())]
        if not self._breaks:
            return lines
        rest = iter(lines)
        return [_with_breaks(self._breaks.get(number, []), rest) for number in range(len(self.texts))]

    def _lines(self) -> tuple[Sequence[str], list[int]]:
        """All lines, as white space but the space ends them, and how many each text has; what ends a line is kept."""
        lines: list[str] = []
        counts = []
        for number, text in enumerate(self.texts):
            parts = _BREAK.split(text)
            lines += parts[::2]
            counts.append(len(parts[::2]))
            if len(parts) > 1:
                self._breaks[number] = parts[1::2]
        return lines, counts

    def _find_words(self) -> NDArray[np.bool_]:
        """[pieces], whether each holds a word."""
        plain = np.frombuffer(bytearray(map(str.isalpha, self._pieces)), dtype=np.bool_)
        for place in np.flatnonzero(~plain).tolist():
            piece = self._pieces[place]
            affixes = _around_word(piece) if piece else None
            if affixes is not None:
                self._affixes[place] = affixes
                plain[place] = True
        return plain

    def _capitalise_what_follows(self, removed: NDArray[np.int64]) -> None:
        """After the first words of some texts, the first that is still there."""
        kept = np.flatnonzero(self._kept[self._places])
        place = np.searchsorted(kept, removed)
        follows = kept[np.minimum(place, len(kept) - 1)]
        in_text = (place < len(kept)) & (self.text_of[follows] == self.text_of[removed])
        pieces, places, affixes = self._pieces, self._places, self._affixes
        for gone, place in zip(places[removed[in_text]].tolist(), places[follows[in_text]].tolist(), strict=True):
            start = len(affixes.get(gone, _NOTHING)[0])
            if pieces[gone][start].isupper() and pieces[place].islower():
                start = len(affixes.get(place, _NOTHING)[0])
                pieces[place] = pieces[place][:start] + capitalised(pieces[place][start:])

    def _hand_on(self, place: int) -> None:
        """The punctuation of a word that is gone, to its neighbours; where those are no words it stays alone."""
        opening, closing = self._affixes[place]
        start, end = self._line_around(place)
        before = next((other for other in range(place - 1, start - 1, -1) if self._kept[other]), None)
        after = next((other for other in range(place + 1, end) if self._kept[other]), None)
        if closing and before is not None and _can_take_more(self._pieces[before]):
            self._pieces[before] = self._pieces[before].rstrip(",;:") + closing
            closing = ""
        if opening and after is not None and is_word(self._pieces[after]):
            self._pieces[after] = opening + self._pieces[after]
            opening = ""
        if opening or closing:
            self._pieces[place] = opening + closing
            self._kept[place] = True

    def _line_around(self, place: int) -> tuple[int, int]:
        line = int(np.searchsorted(self._ends, place, side="right"))
        return int(self._ends[line - 1]), int(self._ends[line])


@lru_cache(maxsize=2**16)
def _around_word(piece: str) -> tuple[str, str] | None:
    """The punctuation before the word of a piece, and that behind it; None if the piece holds none."""
    found = _WORD.fullmatch(piece)
    return None if found is None else (found[1], found[3])


def _can_take_more(piece: str) -> bool:
    """Whether it is a word that ends with no punctuation but such as gives way to a stronger one."""
    affixes = _around_word(piece)
    return affixes is not None and not affixes[1].strip(",;:")


def _with_breaks(breaks: Sequence[str], lines: Iterator[str]) -> str:
    return next(lines) + "".join(f"{end}{next(lines)}" for end in breaks)


def is_word(piece: str) -> bool:
    """Whether it is a word that may be touched, with punctuation around it or without."""
    return _around_word(piece) is not None


def cut(text: str, longest: int) -> list[str]:
    """In parts of so many characters at most, if spaces allow it; together they are the text."""
    parts = []
    while len(text) > longest:
        at = text.rfind(" ", 1, longest)
        if at < 0:
            break
        parts += [text[:at], " "]
        text = text[at + 1 :]
    return [*parts, text]


def capitalised(word: str) -> str:
    """With its first letter as a capital, the others as they are."""
    return word[:1].upper() + word[1:]


def with_case_of(word: str, other: str) -> str:
    """A word in the case of another: all capitals, a first capital, or as it comes."""
    if not other[:1].isupper():
        return word
    return word.upper() if len(other) > 1 and other.isupper() else capitalised(word)
