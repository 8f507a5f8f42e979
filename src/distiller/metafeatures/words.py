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
    words = [[words_of(side) for side in text] for text in texts]
    lengths = np.array([sum(map(len, sides)) for sides in words])
    counts = Counter(word for sides in words for side in sides for word in side)
    characters = sum(len(word) * count for word, count in counts.items())
    return {
        "words_mean": float(lengths.mean()),
        "words_standard_deviation": float(lengths.std()),
        "words_ninetieth_percentile": float(np.percentile(lengths, 90)),
        "characters_per_word": characters / counts.total() if counts else None,
        **_variety(np.array([*counts.values()])),
        "pair_overlap": _overlap(words),
    }


def _variety(counts: NDArray[np.int64]) -> dict[str, float | None]:
    """What is to be expected of words drawn without replacement (Hurlbert 1971, eq. 14): nothing is left to chance.

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


def _overlap(words: Sequence[Sequence[Sequence[str]]]) -> float | None:
    """The mean Jaccard index of the words of two columns, over pairs that have any."""
    pairs = [(set(sides[0]), set(sides[-1])) for sides in words if len(sides) > 1 and any(sides)]
    if not pairs:
        return None
    return float(np.mean([len(one & other) / len(one | other) for one, other in pairs]))
