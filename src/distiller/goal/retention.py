"""How much of its teacher a student keeps, and how sure that is, by one sample of texts and a few seeds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from distiller.errors import UserError
from distiller.tasks import Predictions, Task

GROUPS = 40
LOWER, UPPER = 0.025, 0.975
TINY = 1e-12


@dataclass(frozen=True)
class Retention:
    """The student's score over the teacher's.

    Attributes:
        value: In the mean of the runs.
        error: Its standard error: other texts and other seeds would give others.
        degrees: Of freedom of that error.
        runs: How many students were looked at.
    """

    value: float
    error: float
    degrees: float
    runs: int

    @property
    def interval(self) -> tuple[float, float]:
        """That holds it with a probability of 95 %."""
        low, high = self.value + self.error * student_t.ppf([LOWER, UPPER], self.degrees)
        return float(low), float(high)

    def chance_of(self, least: float) -> float:
        """The probability that it is not less."""
        return float(student_t.cdf((self.value - least) / max(self.error, TINY), self.degrees))

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        low, high = self.interval
        return {**asdict(self), "low": low, "high": high}


def retention(teacher: Predictions, students: Sequence[Predictions], task: Task, metric: str) -> Retention:
    """What students keep of a teacher, each judged on the same texts as it is.

    The error of the sample is by the jackknife, leaving out one of forty groups of texts at a time for teacher and
    students alike (Tukey 1958; Miller 1974), so that a text which both have wrong says nothing of either; that of the
    seeds is added to it, with degrees of freedom by Welch and Satterthwaite.

    Args:
        teacher: What it says of the texts.
        students: What those of several seeds say of them.
        task: What is predicted.
        metric: That both are judged by.

    Raises:
        UserError: If the teacher scores nothing.
    """

    def kept(of: Sequence[Predictions]) -> list[float]:
        score, *others = (task.scores(predictions)[metric] for predictions in of)
        if score <= 0:
            raise UserError("teacher", f"scores {score:.4f} {metric} on validation: there is nothing to keep")
        return [other / score for other in others]

    every = [teacher, *students]
    values = kept(every)
    group = np.random.default_rng(0).permutation(teacher.count) % min(GROUPS, teacher.count)
    groups = int(group.max()) + 1
    without = [float(np.mean(kept([each.of(group != left) for each in every]))) for left in range(groups)]
    by_texts = (groups - 1) * float(np.var(without))
    by_seeds = float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0
    total = by_texts + by_seeds
    spread = by_texts**2 / max(groups - 1, 1) + by_seeds**2 / max(len(values) - 1, 1)
    degrees = total**2 / spread if spread > 0 else float(max(groups - 1, 1))
    return Retention(float(np.mean(values)), float(np.sqrt(total)), degrees, len(values))
