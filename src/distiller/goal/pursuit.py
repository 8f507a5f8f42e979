"""One size of student: pipelines are searched for one that keeps enough, and run again with other seeds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distiller import tasks
from distiller.goal.goal import SURE, Goal
from distiller.goal.pipelines import first_for, space_for
from distiller.goal.retention import Retention, retention
from distiller.pipeline import Pipeline
from distiller.search import SearchConfig, search
from distiller.search.config import Confirm
from distiller.tasks import Predictions
from distiller.training import STUDENT, examinee

SEEDS = 2
TRIALS_AT_MOST = 24
LEAST_TRIALS = 2
DISCORDANT = 0.08
"""Of texts that one of teacher and student has right and the other wrong, about; to aim by until it is known."""
AIM = 1.28
"""So many standard errors above the goal a student is about sure to be above it."""
TRIALS_SHARE = 0.6
"""Of the time of a size; the rest is for other seeds."""


@dataclass(frozen=True)
class Pursued:
    """What became of one size.

    Attributes:
        retention: On validation, of the runs with further seeds of its best pipeline; None if no run has finished.
        run: The folder of the best of these runs.
        trials: How many pipelines were tried.
        seconds: That it took.
    """

    retention: Retention | None
    run: Path | None
    trials: int
    seconds: float

    def sure(self, goal: Goal) -> bool:
        """Whether it keeps enough, as far as that can be known."""
        return self.retention is not None and self.retention.chance_of(goal.retain) >= SURE

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        found = None if self.retention is None else self.retention.describe()
        return {"retention": found, "trials": self.trials, "seconds": round(self.seconds, 1)}


@dataclass(frozen=True)
class Judge:
    """The validation split, and what the teacher says of it."""

    base: Pipeline
    metric: str
    teacher: Predictions

    @classmethod
    def of(cls, base: Pipeline, teacher: str) -> "Judge":
        """Read the data, and ask the teacher once."""
        found, dataset = examinee(base, teacher)
        metric = found.task.primary_metric(base.metric, dataset.metric)
        return cls(base, metric, found.answers(found.read(dataset.validation)))

    def retention(self, runs: list[Path]) -> Retention:
        """What the students of some runs keep."""
        said = []
        for run in runs:
            found, dataset = examinee(self.base, str(run / STUDENT))
            said.append(found.answers(found.read(dataset.validation)))
        return retention(self.teacher, said, tasks.build(self.base.task), self.metric)


def pursue(
    base: Pipeline,
    judge: Judge,
    goal: Goal,
    out: Path,
    until: float,
    knowledge: Path | None,
    say: Callable[[str], None],
    kept_by_teacher: float = 1.0,
) -> Pursued:
    """Search until a student keeps enough and that is sure, or the time is over.

    Args:
        base: With the student, and its teacher, which may be an assistant; what is searched besides is in `pipelines`.
        judge: Of retention, by the first teacher.
        goal: What is wanted.
        out: The folder of the search, which goes on where it was stopped.
        until: When its time is over, by `time.monotonic`; one pipeline is run all the same.
        knowledge: Known runs that say where to begin; None if there are none.
        say: What is told of it.
        kept_by_teacher: What an assistant keeps of the first teacher: the search itself compares with the assistant.
    """
    began = time.monotonic()
    base.to_yaml(out.with_suffix(".yaml"))
    target = (goal.retain + AIM * float(np.sqrt(DISCORDANT / judge.teacher.count))) / kept_by_teacher
    found = Pursued(None, None, 0, 0.0)
    while True:
        left = until - time.monotonic()
        config = SearchConfig(
            base=str(out.with_suffix(".yaml")),
            space=space_for(base),
            pruner="none",
            trials=TRIALS_AT_MOST,
            timeout=max(TRIALS_SHARE * left, 1.0),
            target=target,
            first=[] if knowledge is not None else first_for(base),
            knowledge=None if knowledge is None else str(knowledge),
            objectives=["retention"],
            confirm=Confirm(top=1, seeds=SEEDS),
        )
        summary = search(config, out).summary
        before, found = found, _found(summary, judge, out, time.monotonic() - began)
        if found.retention is not None:
            low, high = found.retention.interval
            chance = found.retention.chance_of(goal.retain)
            say(
                f"{found.retention.value:.1%} kept ({low:.1%} to {high:.1%}) with the best of {found.trials} pipelines;"
                f" the chance that it keeps {goal.retain:.1%} is {chance:.0%}"
            )
        used_up = found.trials == before.trials or found.trials >= TRIALS_AT_MOST
        if found.sure(goal) or used_up or time.monotonic() >= until:
            return found
        target = max(target, *(trial["values"][0] for trial in summary["trials"] if trial["values"])) + 1e-6


def _found(summary: dict[str, Any], judge: Judge, out: Path, seconds: float) -> Pursued:
    finished = [trial for trial in summary["trials"] if trial["state"] == "complete"]
    winner = summary.get("winner")
    if winner is None:
        return Pursued(None, None, len(finished), seconds)
    name = f"{winner['trial']:04d}"
    further = sorted(out.glob(f"runs/{name}-seed-*/run"))
    runs = further if len(further) > 1 else [out / "runs" / name / "run", *further]
    there = [run for run in runs if (run / STUDENT).is_dir()]
    return Pursued(judge.retention(there), out / winner["run"], len(finished), seconds)
