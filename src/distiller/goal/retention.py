"""How much of its teacher a student keeps, and how sure that is, by one sample of texts and a few seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from distiller.tasks import Predictions, Task

GROUPS = 40
LOWER, UPPER = 0.025, 0.975
DOUBT = 2.0
"""So many texts of which one of teacher and student is right may not have been seen: of none nothing is doubted."""


@dataclass(frozen=True)
class Retention:
    """The student's score over the teacher's.

    Attributes:
        values: Of each run.
        error: The standard error of their mean: other texts and other seeds would give others.
        degrees: Of freedom of that error.
    """

    values: tuple[float, ...]
    error: float
    degrees: float

    @property
    def value(self) -> float:
        """In the mean of the runs."""
        return float(np.mean(self.values))

    @property
    def interval(self) -> tuple[float, float]:
        """That holds it with a probability of 95 %."""
        low, high = self.value + self.error * student_t.ppf([LOWER, UPPER], self.degrees)
        return float(low), float(high)

    def chance_of(self, least: float) -> float:
        """The probability that it is not less."""
        return float(student_t.cdf((self.value - least) / self.error, self.degrees))

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        low, high = self.interval
        of_runs = {"value": self.value, "values": [*self.values], "runs": len(self.values)}
        return {**of_runs, "error": self.error, "degrees": self.degrees, "low": low, "high": high}


def retention(teacher: Predictions, students: Sequence[Predictions], task: Task, metric: str) -> Retention:
    """What students keep of a teacher, each judged on the same texts as it is.

    The error of the sample is by the jackknife, leaving out one of forty groups of texts at a time for teacher and
    students alike (Tukey 1958; Miller 1974), so that a text which both have wrong says nothing of either; that of the
    seeds is added to it, with degrees of freedom by Welch and Satterthwaite.

    Args:
        teacher: What it says of the texts; it scores something.
        students: What those of several seeds say of them, at least one.
        task: What is predicted.
        metric: That both are judged by.
    """

    def kept(of: Sequence[Predictions]) -> list[float]:
        score, *others = (task.scores(predictions)[metric] for predictions in of)
        return [other / score if score > 0 else 0.0 for other in others]

    every = [teacher, *students]
    values = kept(every)
    group = np.random.default_rng(0).permutation(teacher.count) % min(GROUPS, teacher.count)
    groups = int(group.max()) + 1
    without = [float(np.mean(kept([each.of(group != left) for each in every]))) for left in range(groups)]
    by_texts = (groups - 1) * float(np.var(without)) + DOUBT / teacher.count**2
    by_seeds = float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0
    spread = by_texts**2 / (groups - 1) + by_seeds**2 / max(len(values) - 1, 1)
    return Retention(tuple(values), float(np.sqrt(by_texts + by_seeds)), (by_texts + by_seeds) ** 2 / spread)
