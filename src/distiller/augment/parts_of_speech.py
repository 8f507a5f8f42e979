"""Which part of speech each word of a text is: an averaged perceptron (Honnibal 2013) with published weights."""

import gzip
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

_START, _END = "<s>", "</s>"


class Tagger:
    """Tags words one after the other, the first words of all texts together, then the second ones.

    Args:
        file: The gzipped JSON of `asset:english-tagger`. Its labels are a part of speech and a form of the verb, as
            Universal Dependencies have them: `NOUN|-`, `VERB|Part`.
    """

    def __init__(self, file: Path) -> None:
        content = json.loads(gzip.decompress(file.read_bytes()))
        self._labels: list[str] = sorted(content["classes"])
        number = {label: index for index, label in enumerate(self._labels)}
        self._always = {word: number[label] for word, label in content["tagdict"].items()}
        self._row = {feature: row for row, feature in enumerate(content["weights"], start=1)}
        self._weights = np.zeros((len(self._row) + 1, len(self._labels)))  # row 0 is that of what was never seen
        for feature, weights in content["weights"].items():
            for label, weight in weights.items():
                self._weights[self._row[feature], number[label]] = weight
        self._of_word = lru_cache(maxsize=2**16)(self._rows_of_word)

    def tags(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        """Of each word of each text its label; texts are words, without punctuation and numbers."""
        found: list[list[int]] = [[] for _ in texts]
        longest = max(map(len, texts), default=0)
        lowered = [[word.lower() for word in words] for words in texts]
        for place in range(longest):
            there = [text for text, words in enumerate(texts) if len(words) > place]
            asked = [text for text in there if lowered[text][place] not in self._always]
            guesses = dict(zip(asked, self._guesses(asked, place, texts, lowered, found), strict=True))
            for text in there:
                found[text].append(guesses[text] if text in guesses else self._always[lowered[text][place]])
        return [[self._labels[label] for label in of_text] for of_text in found]

    def _guesses(
        self,
        asked: Sequence[int],
        place: int,
        texts: Sequence[Sequence[str]],
        lowered: Sequence[Sequence[str]],
        found: Sequence[Sequence[int]],
    ) -> list[int]:
        if not asked:
            return []
        rows = [
            (*self._of_word(texts[text][place]), *self._of_context(lowered[text], place, found[text])) for text in asked
        ]
        scores = self._weights[np.array(rows)].sum(axis=1)
        best: list[int] = (len(self._labels) - 1 - scores[:, ::-1].argmax(axis=1)).tolist()  # of equal ones the last
        return best

    def _rows_of_word(self, word: str) -> tuple[int, ...]:
        lower, shape = word.lower(), "X" if word[:1].isupper() else "x"
        features = [
            "bias",
            *(f"suf{length} {lower[-length:]}" for length in (3, 2, 1)),
            f"pre1 {lower[:1]}",
            f"shape {shape}",
            f"w {lower}",
        ]
        return tuple(self._row.get(feature, 0) for feature in features)

    def _of_context(self, words: Sequence[str], place: int, tags: Sequence[int]) -> list[int]:
        last = self._labels[tags[-1]] if tags else _START
        last_but_one = self._labels[tags[-2]] if len(tags) > 1 else _START
        features = (
            f"t-1 {last}",
            f"t-2 {last_but_one}",
            f"t-1t-2 {last} {last_but_one}",
            f"w-1 {words[place - 1] if place > 0 else _START}",
            f"w-2 {words[place - 2] if place > 1 else _START}",
            f"w+1 {words[place + 1] if place + 1 < len(words) else _END}",
            f"w+2 {words[place + 2] if place + 2 < len(words) else _END}",
            f"t-1 w {last} {words[place]}",
        )
        return [self._row.get(feature, 0) for feature in features]
