"""One size of student: pipelines are searched for one that keeps enough, and run again with other seeds."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distiller import tasks
from distiller.errors import UserError
from distiller.goal.goal import SURE, Goal
from distiller.goal.pipelines import first_for, space_for
from distiller.goal.retention import Retention, retention
from distiller.pipeline import Pipeline
from distiller.search import SearchConfig, search
from distiller.search.config import Confirm
from distiller.search.result import SUMMARY
from distiller.tasks import Predictions
from distiller.training import STUDENT, examinee

SEEDS, RUNS_AT_LEAST = 2, 2
TRIALS_AT_MOST = 24
TEXTS_AT_LEAST = 20
DISCORDANT = 0.08
"""Of texts that one of teacher and student has right and the other wrong, about; to aim by until it is known."""
AIM, HOPELESS = 1.28, 3.0
"""So many standard errors above the goal a student is about sure to be above it; so many below it is not."""
TRIALS_SHARE = 0.6
"""Of the time of a size; the rest is for other seeds."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pursued:
    """What became of one size.

    Attributes:
        retention: On validation, of the runs with further seeds of its best pipeline, or of one run if that was
            hopeless; None if none has finished.
        run: The folder of the best of these runs.
        trials: How many pipelines were tried.
        seconds: That it took in this call.
        failure: Why it was given up; None if it was not.
    """

    retention: Retention | None
    run: Path | None
    trials: int
    seconds: float
    failure: str | None = None

    def chance(self, goal: Goal) -> float | None:
        """The probability that it keeps enough; None if nothing is known."""
        return None if self.retention is None else self.retention.chance_of(goal.retain)

    def sure(self, goal: Goal) -> bool:
        """Whether it keeps enough, as far as that can be known; of one run alone it cannot."""
        runs = 0 if self.retention is None else len(self.retention.values)
        return runs >= RUNS_AT_LEAST and (self.chance(goal) or 0.0) >= SURE

    def standing(self, goal: Goal) -> tuple[bool, float]:
        """What the better of two has more of."""
        return self.sure(goal), -1.0 if self.retention is None else self.retention.value

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        found = None if self.retention is None else self.retention.describe()
        return {
            "retention": found,
            "trials": self.trials,
            "seconds": round(self.seconds, 1),
            "failure": self.failure,
        }


@dataclass(frozen=True)
class Judge:
    """The validation split, and what the teacher says of it."""

    base: Pipeline
    metric: str
    teacher: Predictions

    @classmethod
    def of(cls, base: Pipeline, teacher: str) -> "Judge":
        """Read the data, and ask the teacher once.

        Raises:
            UserError: If there are too few texts to judge by, or the teacher has nothing right.
        """
        found, dataset = examinee(base, teacher)
        metric = found.task.primary_metric(base.metric, dataset.metric)
        said = found.answers(found.read(dataset.validation))
        if said.count < TEXTS_AT_LEAST:
            mend = f"has {said.count} texts, too few to be sure of anything; {TEXTS_AT_LEAST} are the least"
            raise UserError("data.splits.validation", mend)
        score = found.task.scores(said)[metric]
        if score <= 0:
            raise UserError("teacher", f"scores {score:.4f} {metric} on validation: there is nothing to keep")
        return cls(base, metric, said)

    def retention(self, runs: list[Path]) -> Retention:
        """What the students of some runs keep."""
        said = []
        for run in runs:
            found, dataset = examinee(self.base, str(run / STUDENT))
            said.append(found.answers(found.read(dataset.validation)))
        return retention(self.teacher, said, tasks.build(self.base.task), self.metric)


@dataclass(frozen=True)
class Pursuit:
    """What is tried for one size, and by whom it is judged.

    Attributes:
        base: With the student, and its teacher, which may be an assistant.
        judge: Of retention, by the first teacher.
        goal: What is wanted.
        out: The folder of the search, which goes on where it was stopped.
        said: Fields that are not searched.
        knowledge: Known runs that say where to begin; None if there are none.
        kept_by_teacher: What an assistant keeps of the first teacher: the search itself compares with the assistant.
    """

    base: Pipeline
    judge: Judge
    goal: Goal
    out: Path
    said: set[str]
    knowledge: Path | None
    kept_by_teacher: float = 1.0

    def until(self, end: float, say: Say) -> Pursued:
        """Search until a student keeps enough and that is sure, or the time is over; one pipeline is run all the same.

        Args:
            end: When its time is over, by `time.monotonic`.
            say: What is told of it.

        Raises:
            UserError: As `search`.
        """
        began = time.monotonic()
        self.base.to_yaml(self.out.with_suffix(".yaml"))
        error = float(np.sqrt(DISCORDANT / self.judge.teacher.count))
        target = (self.goal.retain + AIM * error) / self.kept_by_teacher
        best = self._found(began)  # of an earlier call
        while not best.sure(self.goal):
            left = end - time.monotonic()
            summary = self._search(TRIALS_AT_MOST, target, max(TRIALS_SHARE * left, 1.0), seeds=0)
            tried = [trial for trial in summary["trials"] if trial["values"]]
            reached = max((trial["values"][0] for trial in tried), default=0.0) * self.kept_by_teacher
            if reached >= self.goal.retain - HOPELESS * error:
                self._search(len(summary["trials"]), target, 1.0, seeds=SEEDS)
            found = self._found(began)
            self._say(found, say)
            used_up = found.trials <= best.trials or found.trials >= TRIALS_AT_MOST
            best = max(found, best, key=lambda each: each.standing(self.goal))
            of_one = max((float(trial["seconds"] or 0.0) for trial in tried), default=0.0)
            if used_up or time.monotonic() + of_one >= end:
                break
            target = max(target, reached / self.kept_by_teacher) + 1e-6
        return best

    def _search(self, trials: int, target: float, timeout: float, seeds: int) -> dict[str, Any]:
        space = space_for(self.base, self.said)
        config = SearchConfig(
            base=str(self.out.with_suffix(".yaml")),
            space=space,
            pruner="none",
            trials=trials,
            timeout=timeout,
            target=target,
            first=[] if self.knowledge is not None else first_for(space),
            knowledge=None if self.knowledge is None else str(self.knowledge),
            objectives=["retention"],
            confirm=Confirm(top=1, seeds=seeds) if seeds else None,
        )
        return search(config, self.out).summary

    def _found(self, began: float) -> Pursued:
        """What the search has come to, by what lies in its folder."""
        seconds = time.monotonic() - began
        if not (self.out / SUMMARY).exists():
            return Pursued(None, None, 0, seconds)
        summary = json.loads((self.out / SUMMARY).read_text(encoding="utf-8"))
        finished = sum(trial["state"] == "complete" for trial in summary["trials"])
        failures = [trial["failure"] for trial in summary["trials"] if trial["failure"]]
        winner = summary.get("winner")
        if winner is None:
            return Pursued(None, None, finished, seconds, failures[0] if failures else None)
        name = f"{winner['trial']:04d}"
        runs = [run for run in sorted(self.out.glob(f"runs/{name}-seed-*/run")) if (run / STUDENT).is_dir()]
        if len(runs) < RUNS_AT_LEAST:
            runs = [self.out / winner["run"]]
        kept = self.judge.retention(runs)
        return Pursued(kept, runs[int(np.argmax(kept.values))], finished, seconds)

    def _say(self, found: Pursued, say: Say) -> None:
        if found.retention is None:
            say(f"nothing has finished{f': {found.failure}' if found.failure else ''}")
            return
        low, high = found.retention.interval
        runs = len(found.retention.values)
        seeds = f"{runs} further seeds" if runs > 1 else "one run"
        say(
            f"{found.retention.value:.1%} kept ({low:.1%} to {high:.1%}, {seeds}) with the best of {found.trials}"
            f" pipelines; the chance of {self.goal.retain:.1%} is {found.chance(self.goal):.0%}"
        )
