"""Some of many examples, whatever their order: which are drawn depends on the examples alone."""

from collections import Counter
from hashlib import blake2b

import numpy as np

from distiller.data import Examples

MOST_TEXTS, MOST_CHARACTERS = 20_000, 5_000_000


def drawn(examples: Examples) -> Examples:
    """As many of them as make up so many characters, but one at least; they stand in an order that looks random.

    Each has a digest of its texts and its label, and of how many like it there were before; the lowest are taken. So
    every example is as likely as another, and equal ones do not all come or all stay away.
    """
    digests = _digests(examples)
    order = sorted(range(len(examples)), key=digests.__getitem__)[:MOST_TEXTS]
    characters = np.cumsum([sum(map(len, examples.texts[place])) for place in order])
    return examples.at(order[: max(1, int((characters <= MOST_CHARACTERS).sum()))])


def _digests(examples: Examples) -> list[bytes]:
    seen: Counter[str] = Counter()
    digests = []
    for text, label in zip(examples.texts, examples.labels or [None] * len(examples), strict=True):
        content = repr((text, label))
        digests.append(blake2b(f"{content}{seen[content]}".encode(), digest_size=16).digest())
        seen[content] += 1
    return digests
