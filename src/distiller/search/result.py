"""What a search has found: the best by validation, run again with further seeds, and how sure it is that it is best."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from distiller import training
from distiller.errors import UserError
from distiller.files import replaced_folder, write_json
from distiller.pipeline import Pipeline
from distiller.runs import RunRecord
from distiller.search.config import SearchConfig
from distiller.search.driver import STUDENT, Driver, name_of
from distiller.search.front import front
from distiller.search.study import AGAIN, FAILURE, INFEASIBLE
from distiller.search.trial import PIPELINE, RUN, Outcome

BEST, SUMMARY = "best", "search.json"
DRAWS = 20_000


@dataclass(frozen=True)
class Candidate:
    """A trial that may be the best, with what its further seeds came to.

    Attributes:
        number: Of the trial.
        folders: Of its runs; the first is that of the trial.
        retentions: On validation, one a run.
    """

    number: int
    folders: list[Path]
    retentions: list[float]

    @property
    def unbiased(self) -> list[float]:
        """Those of the further seeds, if there are two or more: by its own score a trial was chosen out of many."""
        return self.retentions[1:] if len(self.retentions) > 2 else self.retentions


@dataclass(frozen=True)
class SearchResult:
    """What a search leaves.

    Attributes:
        best_path: The folder with the best student and its pipeline; None if no trial has finished.
        summary: Every trial, the candidates, the winner with its test score, and the front.
    """

    best_path: Path | None
    summary: dict[str, Any]


def conclude(driver: Driver, config: SearchConfig) -> SearchResult:
    """Run the best again if that is asked for, choose by validation alone, and leave the winner in `best`."""
    trials = driver.study.trials()
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    summary: dict[str, Any] = {
        "objectives": config.objectives,
        "trials": [_described(driver, trial) for trial in trials],
        "front": [trial.number for trial in front(finished, config.objectives)],
        **_refused(driver),
    }
    if not trials:
        raise UserError("space", f"no point of it is a pipeline: {summary['refusal']}")
    if not finished:
        write_json(driver.out / SUMMARY, summary)
        return SearchResult(None, summary)
    candidates = _candidates(driver, config, finished)
    chances = chances_of_being_best([candidate.unbiased for candidate in candidates])
    winner = max(range(len(candidates)), key=lambda place: mean(candidates[place].unbiased))
    chosen = candidates[winner]
    run = _with_student(chosen.folders[int(np.argmax(chosen.retentions))]) / RUN
    record = RunRecord.read(run)
    summary["candidates"] = [
        {"trial": candidate.number, "retentions": candidate.retentions, "chance": chance}
        for candidate, chance in zip(candidates, chances, strict=True)
    ]
    summary["winner"] = {
        "trial": chosen.number,
        "run": str(run.relative_to(driver.out)),
        "validation_retention": mean(chosen.unbiased),
        "runs": len(chosen.unbiased),
        "chance_of_being_best": chances[winner],
        "metric": record.metrics["primary"],
        "test_score": record.metrics["score"],
        "test_retention": record.retention,
    }
    with replaced_folder(driver.out / BEST) as folder:
        for part in ("student", "pipeline.yaml", "run.json"):
            source = run / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)
    write_json(driver.out / SUMMARY, summary)
    return SearchResult(driver.out / BEST, summary)


def _with_student(folder: Path) -> Path:
    """A run whose student was not kept, since fewer were to be run again when it ended, is made again."""
    if not (folder / RUN / STUDENT).is_dir():
        pipeline = Pipeline.from_yaml(folder / PIPELINE)
        training.advance(pipeline, folder / RUN, pipeline.training.epochs, timed=False)
    return folder


def chances_of_being_best(scores: Sequence[Sequence[float]]) -> list[float]:
    """Of each candidate the chance that its true mean is the highest.

    Means are taken to be normal about those of the scores, with the deviation of single runs pooled over all
    candidates: a few seeds each say little of their own. Without any second score nothing is known, and all have the
    same chance.
    """
    freedom = sum(len(of_one) - 1 for of_one in scores)
    if freedom == 0:
        return [1 / len(scores)] * len(scores)
    if max(map(max, scores)) == min(map(min, scores)):
        return [1 / len(scores)] * len(scores)
    squares = sum((score - mean(of_one)) ** 2 for of_one in scores for score in of_one)
    generator = np.random.default_rng(0)
    # The deviation itself is only known from so many differences: Student's t in place of the normal.
    deviations = np.sqrt(squares / generator.chisquare(freedom, size=(DRAWS, 1)))
    errors = deviations / np.sqrt([len(of_one) for of_one in scores])
    means = [mean(of_one) for of_one in scores] + errors * generator.standard_normal((DRAWS, len(scores)))
    return [float(share) for share in np.bincount(means.argmax(axis=1), minlength=len(scores)) / DRAWS]


def _refused(driver: Driver) -> dict[str, Any]:
    """How many points were no pipelines, and the commonest reason."""
    reasons = Counter(
        reason
        for trial in driver.study.optuna_study.get_trials(deepcopy=False)
        if not (reason := str(trial.user_attrs.get(INFEASIBLE, AGAIN))).startswith(AGAIN)
    )
    commonest = reasons.most_common(1)
    return {"refused": reasons.total(), "refusal": commonest[0][0] if commonest else None}


def _candidates(driver: Driver, config: SearchConfig, finished: Sequence[FrozenTrial]) -> list[Candidate]:
    top = 1 if config.confirm is None else config.confirm.top
    ranked = sorted(finished, key=lambda trial: -trial.values[0])[:top]
    names = {trial.number: [name_of(trial.number)] for trial in ranked}
    if config.confirm is not None:
        pipelines: dict[str, Pipeline] = {}
        for trial in ranked:
            pipeline = driver.pipeline(driver.study.point(driver.study.running(trial.number)))
            for seed in range(1, config.confirm.seeds + 1):
                name = f"{name_of(trial.number)}-seed-{seed}"
                own = pipeline.seed if pipeline.training.seed is None else pipeline.training.seed
                changed = pipeline.training.replace(seed=own + seed)
                pipelines[name] = pipeline.replace(training=changed.model_dump())
        done = driver.run_again(pipelines)
        for number, of_trial in names.items():
            of_trial += sorted(name for name in done if name.startswith(f"{name_of(number)}-seed-"))
    return [_candidate(driver, number, of_trial) for number, of_trial in names.items()]


def _candidate(driver: Driver, number: int, names: Sequence[str]) -> Candidate:
    read = [(driver.folder(name), Outcome.read(driver.folder(name))) for name in names]
    known = [(folder, float(outcome.retention or 0.0)) for folder, outcome in read if outcome is not None]
    return Candidate(number, [folder for folder, _ in known], [retention for _, retention in known])


def _described(driver: Driver, trial: FrozenTrial) -> dict[str, Any]:
    outcome = Outcome.read(driver.folder(name_of(trial.number)))
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "point": trial.params,
        "values": trial.values if trial.state == TrialState.COMPLETE else None,
        "epochs": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
        "seconds": None if outcome is None else outcome.seconds,
        "failure": trial.user_attrs.get(FAILURE),
    }
