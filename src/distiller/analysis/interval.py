"""Intervals of an analysis: one level for all of them."""

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
LOWER, UPPER = (1 - LEVEL) / 2, (1 + LEVEL) / 2


def interval(draws: NDArray[np.float64] | list[float]) -> tuple[float, float]:
    """The middle of the draws, shape [draws]: its lower and upper end."""
    low, high = np.quantile(draws, [LOWER, UPPER])
    return float(low), float(high)
