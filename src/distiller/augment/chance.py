"""Which words are touched, and how many."""

import numpy as np
from numpy.typing import NDArray


def how_many(p: float, counts: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """[texts], of how many each: the fraction p of their counts, rounded up or down by chance, but at least one.

    Args:
        p: 0 is none.
        counts: [texts].
        draws: [texts], numbers in [0, 1).
    """
    rounded = np.floor(p * counts + draws).astype(np.int64)
    return np.minimum(np.maximum(rounded, 1 if p > 0 else 0), counts)


def the_first(counts: NDArray[np.int64], wanted: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of items, in order: so many of each text, those with the least draws.

    Args:
        counts: [texts], how many items each has, one text after the other.
        wanted: [texts], how many of them.
        draws: [items], numbers in [0, 1); 1 for an item that is not to be taken.
    """
    text = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(text)) - (counts.cumsum() - counts)[text]
    order = np.argsort(text + 0.5 * draws)
    return np.sort(order[(rank < wanted[text]) & (draws[order] < 1)])
