"""The loop of a search: proposes, runs, compares, and goes on where it was stopped, whatever stopped it."""

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from distiller import data, models, tasks, training
from distiller.data import Dataset
from distiller.errors import UserError
from distiller.files import write_json
from distiller.pipeline import Pipeline
from distiller.runs import FILE, RunRecord, new_record
from distiller.search.config import SearchConfig
from distiller.search.executors import Ended, Executor, Job
from distiller.search.front import front
from distiller.search.halving import rungs
from distiller.search.point import pipeline_at
from distiller.search.progress import Progress
from distiller.search.study import Study
from distiller.search.trial import LOG, PIPELINE, RUN, Outcome, prepare_folder

RUNS, STUDENT = "runs", "student"
MOST_DEATHS = 5
"""So often in a row the process of a job may die before the trial counts as failed."""
ALIKE = 5
"""If so many trials fail first, and all alike, the search ends with the reason."""
LOOK_SECONDS = 1.0


@dataclass
class Driver:
    """Runs the trials of a study.

    Attributes:
        config: Of the search.
        base: The pipeline that points are placed in.
        study: What has been proposed and what came of it.
        executor: Where trials run.
        out: The folder of the search.
        progress: What is shown meanwhile.
    """

    config: SearchConfig
    base: Pipeline
    study: Study
    executor: Executor
    out: Path
    progress: Progress
    _active: dict[str, Job] = field(default_factory=dict)
    _deaths: Counter[str] = field(default_factory=Counter)
    _began: float = field(default_factory=time.monotonic)
    _exhausted: bool = False
    _gain: float = float("inf")
    _failures: list[str] = field(default_factory=list)
    _refusals: dict[str, str | None] = field(default_factory=dict)
    _dataset: Dataset | None = None

    def run(self) -> None:
        """Until the search has ended.

        Raises:
            UserError: If nothing can come of it: no point is a pipeline, or the first trials all fail alike.
        """
        while True:
            trials = self.study.trials()
            self._fill(trials)
            if not self._active:
                self._say_if_it_is_not_worth_it()
                return
            for ended in self.executor.wait(LOOK_SECONDS):
                self._take(ended)
            self._refuse_to_fail_alike()
            self.progress.show(self.study.trials(), len(self._active))

    def run_again(self, pipelines: Mapping[str, Pipeline]) -> dict[str, Outcome]:
        """Train pipelines to their end, side by side: what came of each, by name; of those that fail nothing."""
        waiting = dict(pipelines)
        found: dict[str, Outcome] = {}
        while waiting or self._active:
            while waiting and len(self._active) < self.executor.workers:
                name = next(iter(waiting))
                pipeline = waiting.pop(name)
                done = self._start(name, pipeline, pipeline.training.epochs)
                if done is not None:
                    found[name] = done
            for ended in self.executor.wait(LOOK_SECONDS) if self._active else []:
                job = self._active.pop(ended.job.name)
                outcome = self._outcome(ended)
                if outcome is not None:
                    found[job.name] = outcome
                    shutil.rmtree(job.folder / RUN / "checkpoints", ignore_errors=True)
                elif self._deaths[job.name] < MOST_DEATHS:
                    self._submit(job)
        return {name: outcome for name, outcome in found.items() if outcome.status == "finished"}

    def folder(self, name: str) -> Path:
        """That of a trial."""
        return self.out / RUNS / name

    def pipeline(self, point: Mapping[str, Any]) -> Pipeline:
        """That of a point.

        Raises:
            UserError: If it is none.
        """
        return pipeline_at(self.base, point)

    def _fill(self, trials: list[FrozenTrial]) -> None:
        """Give every worker something to do: what was begun before, then what is new."""
        begun = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
        for number in begun:
            if len(self._active) < self.executor.workers and name_of(number) not in self._active:
                self._take_up(number)
        ahead = len(trials)
        while len(self._active) < self.executor.workers and self._may_propose(trials, ahead):
            proposed = self.study.propose(self._why_not)
            self._exhausted = proposed is None
            if proposed is not None:
                ahead += 1
                self._go_on(*proposed)

    def _take_up(self, number: int) -> None:
        """A trial that was begun before; what was not even looked at then is looked at now."""
        trial = self.study.running(number)
        point = self.study.point(trial)
        begun = (self.folder(name_of(number)) / PIPELINE).exists()
        reason = None if begun else self.study.again_of(trial) or self._why_not(point)
        if reason is not None:
            self.study.discard(number, reason)
        else:
            self._go_on(number, point)

    def _may_propose(self, trials: list[FrozenTrial], ahead: int) -> bool:
        if self._exhausted or ahead >= self.config.trials:
            return False
        if self.config.timeout is not None and time.monotonic() - self._began >= self.config.timeout:
            return False
        if self.config.target is not None and _best_of(trials) >= self.config.target:
            return False
        if self.config.budget is not None and sum(self._spent(trials).values()) >= self.config.budget:
            return False
        self._gain = self._gain_an_hour(trials)
        return self.config.worth is None or self._gain >= self.config.worth

    def _say_if_it_is_not_worth_it(self) -> None:
        if self.config.worth is not None and self._gain < self.config.worth:
            expected = f"a further trial is expected to gain {self._gain:.2g} of retention an hour at most"
            self.progress.say(f"ends, since {expected}, and worth is {self.config.worth:g}")

    def _gain_an_hour(self, trials: list[FrozenTrial]) -> float:
        """What the search may still gain: not asked before the points that are to come first have been tried."""
        if self.config.worth is None or len(trials) < len(self.config.first):
            return float("inf")
        return self.study.gain_an_hour(self._spent(trials))

    def _spent(self, trials: list[FrozenTrial]) -> dict[int, float]:
        """Seconds of training by trial, of those of which something has come."""
        outcomes = {trial.number: Outcome.read(self.folder(name_of(trial.number))) for trial in trials}
        return {number: outcome.seconds for number, outcome in outcomes.items() if outcome is not None}

    def _why_not(self, point: Mapping[str, Any]) -> str | None:
        """Why a point is no pipeline, looked up once; None if it is one."""
        key = json.dumps(point, sort_keys=True)
        if key not in self._refusals:
            self._refusals[key] = self._refusal(point)
        return self._refusals[key]

    def _refusal(self, point: Mapping[str, Any]) -> str | None:
        try:
            training.check(self.pipeline(point), self._dataset)
        except (UserError, ValidationError) as error:
            return str(error)
        return None

    def check(self) -> None:
        """Refuse what no point can mend: the base, as far as the space leaves it alone; fields that no pipeline has.

        Raises:
            UserError: If they are not usable.
        """
        touched = {dimension.path.partition(".")[0] for dimension in self.study.space.dimensions}
        if not touched & {"data", "task", "seed"}:
            self._dataset = data.load(self.base.data, tasks.build(self.base.task).label_kind, self.base.seed)
        if not touched & {"teacher", "student"}:
            for member, place in zip(self.base.teacher.members, self.base.teacher.places, strict=True):
                models.load_tokenizer(member, place)
        for point in self.study.space.with_each():
            try:
                self.pipeline(point)
            except UserError as error:
                if "unknown field" in str(error) or "has no fields" in str(error):
                    raise UserError(
                        "space", f"{[*point][-1]} is no field of a pipeline there ({error.mend})"
                    ) from error

    def _go_on(self, number: int, point: Mapping[str, Any]) -> None:
        """Start the next part of a trial, or take what is known of it already."""
        if self.study.is_stopped(number):
            self._end(number, TrialState.PRUNED, None)
            return
        pipeline = self.pipeline(point)
        done = {trial.number: trial for trial in self.study.trials()}[number].intermediate_values
        stops = [*self._rungs(pipeline), pipeline.training.epochs]
        until = next(stop for stop in stops if stop not in done)
        outcome = self._start(name_of(number), pipeline, until)
        if outcome is not None:
            self._note(number, outcome)

    def _rungs(self, pipeline: Pipeline) -> list[int]:
        if self.config.pruner == "none":
            return []
        return rungs(self.config.rung, self.config.reduction, pipeline.training.epochs)

    def _start(self, name: str, pipeline: Pipeline, until: int) -> Outcome | None:
        """Submit a job; what came of it if it was done before the search was stopped."""
        folder = self.folder(name)
        given = folder / PIPELINE
        if given.exists() and Pipeline.from_yaml(given).model_dump() != pipeline.model_dump():
            shutil.rmtree(folder)  # of another study: the database is not that which was here
        prepare_folder(folder, pipeline.to_yaml())
        outcome = Outcome.read(folder)
        if outcome is not None and outcome.until >= until:
            return outcome
        self._submit(Job(name, folder, until, timed="latency" in self.config.objectives))
        return None

    def _submit(self, job: Job) -> None:
        self._active[job.name] = job
        self.executor.submit(job)

    def _take(self, ended: Ended) -> None:
        job = self._active.pop(ended.job.name)
        outcome = self._outcome(ended)
        if outcome is not None:
            self._note(int(job.name), outcome)
        elif self._deaths[job.name] < MOST_DEATHS:
            self._submit(job)
        else:
            reason = f"its process was {ended.died or 'lost'} {MOST_DEATHS} times in a row{_last_line(job.folder)}"
            self._note(int(job.name), Outcome(job.until, "failed", reason))

    def _outcome(self, ended: Ended) -> Outcome | None:
        """What came of a job; None if its process died before it could say."""
        outcome = Outcome.read(ended.job.folder)
        if outcome is None or outcome.until != ended.job.until:
            self._deaths[ended.job.name] += 1
            return None
        self._deaths[ended.job.name] = 0
        return outcome

    def _note(self, number: int, outcome: Outcome) -> None:
        """Tell the study, and tidy up; or go on with the trial."""
        if outcome.status == "failed":
            self._end(number, TrialState.FAIL, None, outcome.reason)
            return
        values = self._values(outcome)
        if values is None:
            reason = "the teacher scores nothing on validation, so that there is no retention"
            self._end(number, TrialState.FAIL, None, reason)
        elif outcome.status == "finished":
            self._end(number, TrialState.COMPLETE, values)
        elif self.study.report(number, outcome.until, values[0]):
            self._go_on(number, self.study.point(self.study.running(number)))
        else:
            self._end(number, TrialState.PRUNED, None)

    def _values(self, outcome: Outcome) -> list[float] | None:
        values = [getattr(outcome, goal) for goal in self.config.objectives]
        return None if None in values[:1] else [float(value or 0.0) for value in values]

    def _end(self, number: int, state: TrialState, values: list[float] | None, reason: str | None = None) -> None:
        """The record first, the study last: what the study says has ended is never looked at again."""
        folder = self.folder(name_of(number)) / RUN
        if state == TrialState.PRUNED:
            _mark(folder, "pruned")
        elif state == TrialState.FAIL:
            self._failures.append(str(reason))
            _mark_failed(folder, str(reason))
        self.study.end(number, state, values, reason)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        if state == TrialState.COMPLETE:
            self._keep_the_best_students()

    def _keep_the_best_students(self) -> None:
        """Of thousands of trials the students of those alone that may still win, or are on the front."""
        finished = [trial for trial in self.study.trials() if trial.state == TrialState.COMPLETE]
        ranked = sorted(finished, key=lambda trial: -trial.values[0])
        kept = {trial.number for trial in ranked[: 1 if self.config.confirm is None else self.config.confirm.top]}
        kept |= {trial.number for trial in front(finished, self.config.objectives)}
        for trial in finished:
            if trial.number not in kept:
                shutil.rmtree(self.folder(name_of(trial.number)) / RUN / STUDENT, ignore_errors=True)

    def _refuse_to_fail_alike(self) -> None:
        """Of the trials that this process has seen end, while none has ended well."""
        if len(self._failures) < ALIKE or any(trial.state != TrialState.FAIL for trial in self._ended()):
            return
        if len({re.sub(r"\d+", "", reason) for reason in self._failures}) == 1:
            mend = f"the first {len(self._failures)} trials all failed alike: {self._failures[0]}"
            raise UserError(str(self.out), f"{mend}; mend that, and start it again with more --trials")

    def _ended(self) -> list[FrozenTrial]:
        return [trial for trial in self.study.trials() if trial.state.is_finished()]


def name_of(number: int) -> str:
    """That of the folder of a trial."""
    return f"{number:04d}"


def _best_of(trials: Sequence[FrozenTrial]) -> float:
    finished = [trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE]
    return max(finished, default=float("-inf"))


def _mark(folder: Path, status: Any, **more: Any) -> None:
    record = RunRecord.read(folder)
    write_json(folder / FILE, {**record.model_dump(), "status": status, **more})


def _mark_failed(folder: Path, reason: str) -> None:
    if (folder / FILE).exists():
        _mark(folder, "failed", metrics={**RunRecord.read(folder).metrics, "error": reason})
        return
    pipeline = Pipeline.from_yaml(folder.parent / PIPELINE)
    record = new_record(pipeline.model_dump(), pipeline.seed)
    record.status, record.metrics = "failed", {"error": reason}
    record.write(folder)


def _last_line(folder: Path) -> str:
    """What the log of a trial ends with, if it has one."""
    try:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((f" (its log ends: {line.strip()[:200]})" for line in reversed(lines) if line.strip()), "")
