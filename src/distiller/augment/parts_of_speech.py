"""Which part of speech each word of a text is: an averaged perceptron (Honnibal 2013) with published weights."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_START, _END = "<s>", "</s>"
_AROUND = ("w-1", "w-2", "w+1", "w+2")
"""The features that are of a word beside the one that is tagged."""


class Tagger:
    """Tags words one after the other: the first words of all texts together, then the second ones, and so on.

    Each feature of a word in its place has a weight for each label: rows of a table, which are added up. All that
    depends on one word alone is looked up once for it.

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
        before = [*self._labels, _START]
        self._after_one = np.array([self._row.get(f"t-1 {tag}", 0) for tag in before])
        self._after_another = np.array([self._row.get(f"t-2 {tag}", 0) for tag in before])
        self._after_two = np.array([[self._row.get(f"t-1t-2 {one} {two}", 0) for two in before] for one in before])
        self._number: dict[str, int] = {}
        self._own = np.zeros((0, 7), dtype=np.int64)
        self._beside = np.zeros((0, len(_AROUND)), dtype=np.int64)
        self._with_tag = np.zeros((0, len(before)), dtype=np.int64)
        self._fixed = np.zeros(0, dtype=np.int64)
        self._learn([_START, _END])

    def tags(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        """Of each word of each text its label; texts are words, without punctuation and numbers."""
        self._learn([word for words in texts for word in words])
        lengths = np.array([len(words) for words in texts], dtype=np.int64)
        longest = int(lengths.max(initial=0))
        # Two words before each text, and two behind it.
        words = np.full((len(texts), longest + 4), self._number[_END])
        words[:, :2] = self._number[_START]
        for text, own in enumerate(texts):
            words[text, 2 : 2 + len(own)] = [self._number[word] for word in own]
        tags = np.full((len(texts), longest + 2), len(self._labels))
        by_length = np.argsort(-lengths, kind="stable")
        for place in range(longest):
            there = by_length[: int((lengths > place).sum())]
            tags[there, place + 2] = self._tags_at(words[there, place : place + 5], tags[there, place : place + 2])
        return [
            [self._labels[tag] for tag in row[2 : 2 + length]]
            for row, length in zip(tags.tolist(), lengths.tolist(), strict=True)
        ]

    def _tags_at(self, words: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
        """[texts]: of the middle one of five words each, [texts, 5], after two tags, [texts, 2]."""
        last_but_one, last = before.T
        own = words[:, 2]
        rows = np.column_stack(
            [
                self._own[own],
                self._after_one[last],
                self._after_another[last_but_one],
                self._after_two[last, last_but_one],
                self._beside[words[:, 1], 0],
                self._beside[words[:, 0], 1],
                self._beside[words[:, 3], 2],
                self._beside[words[:, 4], 3],
                self._with_tag[own, last],
            ]
        )
        scores = self._weights[rows].sum(axis=1)
        best = len(self._labels) - 1 - scores[:, ::-1].argmax(axis=1)  # of equal ones the last
        return np.where(self._fixed[own] < 0, best, self._fixed[own])

    def _learn(self, words: Sequence[str]) -> None:
        """Look up what depends on a word alone, for those that are new."""
        new = [word for word in dict.fromkeys(words) if word not in self._number]
        if not new:
            return
        self._number |= {word: len(self._number) + place for place, word in enumerate(new)}
        lowered = [word if word in (_START, _END) else word.lower() for word in new]
        before = [*self._labels, _START]
        row = self._row.get
        own = [[row(name, 0) for name in _features(word, lower)] for word, lower in zip(new, lowered, strict=True)]
        beside = [[row(f"{name} {lower}", 0) for name in _AROUND] for lower in lowered]
        with_tag = [[row(f"t-1 w {tag} {lower}", 0) for tag in before] for lower in lowered]
        self._own = np.concatenate([self._own, np.array(own)])
        self._beside = np.concatenate([self._beside, np.array(beside)])
        self._with_tag = np.concatenate([self._with_tag, np.array(with_tag)])
        self._fixed = np.concatenate([self._fixed, [self._always.get(lower, -1) for lower in lowered]])


def _features(word: str, lower: str) -> list[str]:
    return [
        "bias",
        *(f"suf{length} {lower[-length:]}" for length in (3, 2, 1)),
        f"pre1 {lower[:1]}",
        f"shape {'X' if word[:1].isupper() else 'x'}",
        f"w {lower}",
    ]
