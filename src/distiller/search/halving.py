"""Which trials go on: asynchronous successive halving (Li et al. 2018), by what others had come to at that point."""

from collections.abc import Sequence


def rungs(first: int, reduction: int, epochs: int) -> list[int]:
    """After how many epochs trials are compared: `first`, and as many times `reduction` as before, below all epochs."""
    found = [first]
    while found[-1] * reduction < epochs:
        found.append(found[-1] * reduction)
    return [rung for rung in found if rung < epochs]


def goes_on(value: float, others: Sequence[float], reduction: int) -> bool:
    """Whether a trial is among the best `1 / reduction` of all that have come to this rung, or the best of few.

    Args:
        value: Of the trial, the more the better.
        others: Of the others that have come so far before it.
        reduction: Of so many one goes on.
    """
    ranked = sorted([*others, value], reverse=True)
    kept = max(1, len(ranked) // reduction)
    return value >= ranked[kept - 1]
