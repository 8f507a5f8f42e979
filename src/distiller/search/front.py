"""The best trials in several objectives at once."""

from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial


def front(trials: Sequence[FrozenTrial], goals: Sequence[str]) -> list[FrozenTrial]:
    """Those of which none is better in one objective and no worse in another, best retention first."""
    signs = [1.0 if goal == "retention" else -1.0 for goal in goals]
    if len(goals) == 1:
        return sorted(trials, key=lambda trial: -trial.values[0])[:1]
    values = np.array([[sign * value for sign, value in zip(signs, trial.values, strict=True)] for trial in trials])
    kept = [
        trial
        for place, trial in enumerate(trials)
        if not any((other >= values[place]).all() and (other > values[place]).any() for other in values)
    ]
    return sorted(kept, key=lambda trial: -trial.values[0])
