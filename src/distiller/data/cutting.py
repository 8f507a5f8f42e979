"""Cutting examples in two, stratified and seeded."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import cast

import numpy as np

from distiller.data.examples import Examples
from distiller.labels import Answer

HELD_OUT_SHARE = 0.1
HELD_OUT_MOST = 1000
BINS = 10


def hold_out(examples: Examples, seed: int, together: Sequence[Hashable] | None = None) -> tuple[Examples, Examples]:
    """Cut off a tenth of the examples, at most 1000: (the rest, those), each in the order of the examples.

    Classes keep their shares, and so do tenths of the numbers; one example of each class stays (where an example may
    have several, of each that is the rarest of one). Examples with the same
    texts stay together, so the count is met up to the size of such a group; they are not cut off if their labels
    differ, since no answer is right there. The cut is a function of the examples and the seed.

    Args:
        examples: At least two.
        seed: Seed of the cut.
        together: Of each example what it has in common with those that it is not to be parted from; None for its texts.
    """
    count = max(1, min(HELD_OUT_MOST, round(HELD_OUT_SHARE * len(examples))))
    return _cut(examples, _groups(examples.texts if together is None else together), count, seed, of_each=1)


def limit(examples: Examples, count: int, seed: int) -> tuple[Examples, Examples]:
    """Keep `count` examples: (those, the others), with the shares of classes and the seed as in `hold_out`."""
    return _cut(examples, [[position] for position in range(len(examples))], len(examples) - count, seed, of_each=0)


def _cut(
    examples: Examples, groups: list[list[int]], count: int, seed: int, *, of_each: int
) -> tuple[Examples, Examples]:
    """(the others, `count` examples), in whole groups; of each class at least `of_each` are among the latter."""
    strata = _strata(examples, groups, min(BINS, count, len(examples) - count))
    generator = np.random.default_rng(seed)
    taken: set[int] = set()
    for stratum, share in zip(strata, _shares([_size(stratum) for stratum in strata], count, of_each), strict=True):
        room = share
        for index in generator.permutation(len(stratum)):
            group = stratum[int(index)]
            if len(group) <= room and _agree(examples, group):
                taken.update(group)
                room -= len(group)
    if not taken and of_each and len(groups) > 1:
        # All groups are larger than what is wanted: the smallest of them is nearest to it.
        sizes = {len(group): group for group in reversed(groups) if _agree(examples, group)}
        taken.update(sizes[min(sizes)] if sizes else [])
    kept = [position for position in range(len(examples)) if position not in taken]
    return examples.at(kept), examples.at(sorted(taken))


def _groups(together: Sequence[Hashable]) -> list[list[int]]:
    """Positions of equals together, in the order in which they first come."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position, common in enumerate(together):
        groups[common].append(position)
    return [*groups.values()]


def _agree(examples: Examples, group: list[int]) -> bool:
    """Whether equal texts of a group have equal labels."""
    if examples.labels is None:
        return True
    pairs = {(examples.texts[position], examples.labels[position]) for position in group}
    return len(pairs) == len({text for text, _ in pairs})


def _strata(examples: Examples, groups: list[list[int]], bins: int) -> list[list[list[int]]]:
    """Groups by the class of their first example (the rarest that it has), or by the part of the numbers it lies in.

    Or by whether it has an answer.

    Of numbers there are `bins` equal parts.
    """
    if examples.labels is None:
        return [groups]
    names: Sequence[object] = examples.labels
    if any(isinstance(label, float) for label in examples.labels):
        numbers = np.asarray(examples.labels, dtype=np.float64)
        names = np.searchsorted(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1]), numbers).tolist()
    if any(isinstance(label, tuple) and label and isinstance(label[0], Answer) for label in examples.labels):
        names = [bool(label) for label in examples.labels]
    elif any(isinstance(label, tuple) for label in examples.labels):
        names = _rarest(cast("list[tuple[str, ...]]", examples.labels))
    strata: defaultdict[object, list[list[int]]] = defaultdict(list)
    for group in groups:
        strata[names[group[0]]].append(group)
    return [strata[name] for name in sorted(strata, key=str)]


def _rarest(labels: Sequence[tuple[str, ...]]) -> list[str]:
    """Of each set of classes the one that fewest examples have; nothing of an empty one."""
    counts = Counter(name for of_one in labels for name in of_one)
    return [min(of_one, key=lambda name: (counts[name], name), default="") for of_one in labels]


def _size(stratum: list[list[int]]) -> int:
    return sum(len(group) for group in stratum)


def _shares(sizes: list[int], count: int, of_each: int) -> list[int]:
    """`count` in proportion to the sizes, as near as can be with `of_each` taken and one left of each."""
    exact = [count * size / sum(sizes) for size in sizes]
    most = [size - 1 for size in sizes]
    least = [min(of_each, size) for size in most]
    shares = [min(max(int(share), low), high) for share, low, high in zip(exact, least, most, strict=True)]
    while sum(shares) != count:
        step = 1 if sum(shares) < count else -1
        bound = most if step > 0 else least
        free = [index for index in range(len(sizes)) if shares[index] != bound[index]]
        if not free:
            break
        shares[max(free, key=lambda index: step * (exact[index] - shares[index]))] += step
    return shares
