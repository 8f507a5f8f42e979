"""What the words of texts are like: how many, how long, how varied, and how alike those of two columns."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

SAMPLE = 1000
"""Of so many words it is said how varied they are: of more words fewer are new, whatever the texts."""
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Its runs of letters, digits and underscores, in lower case."""
    return _WORD.findall(text.lower())


def word_features(texts: Sequence[tuple[str, ...]]) -> dict[str, float | None]:
    """Of texts of one column, or of two whose words are taken together."""
    lengths, overlaps, counts = [], [], Counter[str]()
    for text in texts:
        sides = [words_of(side) for side in text]
        lengths.append(sum(map(len, sides)))
        overlaps.append(_overlap(sides))
        for side in sides:
            counts.update(side)
    characters = sum(len(word) * count for word, count in counts.items())
    known = [overlap for overlap in overlaps if overlap is not None]
    return {
        "words_mean": float(np.mean(lengths)),
        "words_standard_deviation": float(np.std(lengths)),
        "words_ninetieth_percentile": float(np.percentile(lengths, 90)),
        "characters_per_word": characters / counts.total() if counts else None,
        **_variety(np.array([*counts.values()])),
        "pair_overlap": float(np.mean(known)) if known else None,
    }


def _overlap(sides: Sequence[Sequence[str]]) -> float | None:
    """The Jaccard index of the words of two columns; None if there is one column, or no word."""
    if len(sides) == 1 or not any(sides):
        return None
    one, other = map(set, sides)
    return len(one & other) / len(one | other)


def _variety(counts: NDArray[np.int64]) -> dict[str, float | None]:
    """What is to be expected of words drawn without replacement (Hurlbert 1971): nothing is left to chance.

    Args:
        counts: [different words], how often each is there.
    """
    total = int(counts.sum())
    if total < SAMPLE:
        return {"type_token_ratio": None, "once_share": None}
    often, of_so_many = np.unique(counts, return_counts=True)
    absent, once = (of_so_many * hypergeom.pmf(times, total, often, SAMPLE) for times in (0, 1))
    different = len(counts) - absent.sum()
    return {"type_token_ratio": float(different / SAMPLE), "once_share": float(once.sum() / different)}
