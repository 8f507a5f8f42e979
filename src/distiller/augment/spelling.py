"""Words as they come from a hasty hand, or from a scanner."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from distiller.augment.chance import how_many, the_first
from distiller.augment.draws import Draws
from distiller.augment.step import Augmenter, Step
from distiller.augment.words import Words

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LOOK_ALIKE = (
    "0/o 1/l 1/I 5/S 8/B 9/g 2/Z 6/b rn/m m/rn cl/d d/cl vv/w w/vv ii/u li/h l/I I/l l/i i/l e/c c/e h/b b/h u/v "
    "v/u f/t t/f n/ri O/Q C/G E/F a/o o/a"
)
"""What is read / what was written."""


class Spelling(Step):
    """One error in each word that is touched.

    `keyboard`: a letter but the first is hit twice, left out, swapped with the next, or its neighbour on a QWERTY
    keyboard is hit; in words of three letters and more. `ocr`: letters are taken for others that look like them.
    """

    type: Literal["spelling"] = "spelling"
    source: Literal["keyboard", "ocr"] = "keyboard"

    def build(self) -> Augmenter:
        return self._augmented

    def _augmented(self, texts: Sequence[str], seed: int) -> list[str]:
        words, draws = Words(texts), Draws(texts, seed)
        errors = _typing_errors if self.source == "keyboard" else _reading_errors
        possible = [errors(words[word]) for word in range(len(words))]
        order = np.where([bool(of_word) for of_word in possible], draws.per_item(words.counts, 0), 1.0)
        which = draws.per_item(words.counts, 1)
        wanted = how_many(self.p, words.counts, draws.per_text(2))
        for word in the_first(words.counts, wanted, order).tolist():
            words.put(word, possible[word][int(which[word] * len(possible[word]))])
        return words.joined()


def _neighbours() -> dict[str, str]:
    letters = {key: (row, column) for row, line in enumerate(_ROWS) for column, key in enumerate(line)}
    return {
        key: "".join(other for other, (r, c) in letters.items() if other != key and abs(r - row) + abs(c - column) <= 1)
        for key, (row, column) in letters.items()
    }


_NEIGHBOURS = _neighbours()


@lru_cache(maxsize=2**16)
def _typing_errors(word: str) -> Sequence[str]:
    """Each once, in an order that depends on the word alone."""
    if len(word) < 3:
        return []
    found: dict[str, None] = {}
    for at in range(1, len(word)):
        before, letter, after = word[:at], word[at], word[at + 1 :]
        near = _NEIGHBOURS.get(letter.lower(), "")
        hit = [before + (other.upper() if letter.isupper() else other) + after for other in near]
        swapped = [before + after[0] + letter + after[1:]] if after else []
        found |= dict.fromkeys([*hit, *swapped, before + after, before + letter + letter + after])
    found.pop(word, None)
    return [*found]


@lru_cache(maxsize=2**16)
def _reading_errors(word: str) -> Sequence[str]:
    found: dict[str, None] = {}
    for read, written in (pair.split("/") for pair in _LOOK_ALIKE.split()):
        at = word.find(written)
        while at >= 0:
            found[word[:at] + read + word[at + len(written) :]] = None
            at = word.find(written, at + 1)
    return [*found]
