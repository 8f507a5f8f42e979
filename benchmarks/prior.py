"""What known runs are worth to a search: a warm start, a prior for all that follows, and a reason to stop.

Searches of the paper's space are replayed on its authors' runs as `search_replay.py` does, with halving; known are the
runs on the other tasks, all students of them. `tpe` knows nothing, `warm tpe` begins with the five recommended points,
and `prior` goes on by what was foretold and measured. With `--study` searches of this project's own 24 pipelines on
each of four datasets are replayed likewise (`study.py` says how these are made).

Of the searches by `prior` it is then asked when they had ended with `worth`, what time that saves, and what it costs.
An epoch of the paper is taken to last a minute; of our own study seconds were measured.

    python benchmarks/prior.py --paper ../shared/data/paper --study runs/study      # an hour on one core
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import yaml
from numpy.typing import NDArray
from optuna.trial import TrialState

from distiller import Pipeline, Recommender
from distiller.recommend import choose, expected_seconds
from distiller.runs import import_table, load
from distiller.search.config import SearchConfig
from distiller.search.point import pipeline_at
from distiller.search.prior import Prior
from distiller.search.space import read_space
from distiller.search.study import Study
from search_replay import EPOCHS, STUDENT, Table, ranks, replayed, study_of, trials
from study import DATASETS, FIRST, NEARLY, SEEDS, lot, study

HERE = Path(__file__).resolve().parent
BUDGET, CANDIDATES, HOUR = 20 * EPOCHS, 1000, 60
"""Epochs that a search has, points that a prior is of, and epochs in an hour."""
WORTHS = (0.1, 0.03, 0.01, 0.003, 0.001)
Course = list[tuple[float, float, float]]
"""Of a search, after each trial: what was spent, the best so far, and the gain an hour that is expected of going on."""


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paper", type=Path, default=Path("../shared/data/paper"), help="folder of the paper's tables")
    parser.add_argument("--study", type=Path, help="folder of this project's own study")
    parser.add_argument("--seeds", type=int, default=30)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    courses: dict[str, list[Course]] = {}
    curves: dict[str, dict[str, NDArray[np.float64]]] = {}
    for task, table, foretold in tasks(arguments.paper):
        of_task: dict[str, list[NDArray[np.float64]]] = {"tpe": [], "warm tpe": [], "prior": []}
        courses[task] = []
        for seed in range(arguments.seeds):
            warm, prior = foretold.of(seed)
            given: dict[str, Any] = {"sampler": "prior", "knowledge": "the other tasks", "first": warm}
            of_task["tpe"].append(replayed(table, study_of(seed, sampler="tpe"), BUDGET))
            of_task["warm tpe"].append(replayed(table, study_of(seed, sampler="tpe", first=warm), BUDGET))
            courses[task].append(course_of(table, study_of(seed, prior, **given)))
            of_task["prior"].append(curve(courses[task][-1]))
        curves[task] = {name: np.array(values) for name, values in of_task.items()}
        print(f"{task}: done", flush=True)
    print(ranks(curves))
    print()
    print(stops(courses, BUDGET))
    if arguments.study:
        print()
        print(own(arguments.study))


class Foretold:
    """What the runs on other tasks foretell of every point of the paper's space."""

    def __init__(self, known: pd.DataFrame, here: pd.DataFrame) -> None:
        self._space = read_space("paper", "replay")
        self._points = self._space.points()
        base = Pipeline.from_yaml(HERE.parent / "examples" / "study" / "trec-base.yaml")
        self._pipelines = [pipeline_at(base, point) for point in self._points]
        self._recommender = Recommender().fit(known)
        context = {name: here[name].iloc[0] for name in here if str(name).startswith(("data.", "teacher.", "student."))}
        self._rows = pd.DataFrame([{**context, **columns(point)} for point in self._points])
        self._expected = self._recommender.predict(self._rows).to_numpy(float)

    def of(self, seed: int) -> tuple[list[dict[str, Any]], Prior]:
        """The points to try first, and the prior, of some points by lot."""
        places = np.random.default_rng(seed).choice(len(self._points), CANDIDATES, replace=False)
        rows = self._rows.iloc[places].reset_index(drop=True)
        chosen = choose(self._recommender, [self._pipelines[one] for one in places], rows, lambda _: None, FIRST)
        points = [self._points[place] for place in places]
        drawn = [self._space.drawn(point) for point in points]
        prior = Prior(self._space, drawn, self._expected[places], np.ones(CANDIDATES))
        return [points[place] for place in chosen], prior


def columns(point: dict[str, Any]) -> dict[str, Any]:
    """What a run record of the paper's table has of a point."""
    steps = [{**step, "p": point["augmentation.steps.*.p"]} for step in point["augmentation.steps"]]
    mixup = point["augmentation.mixup"]
    said = {f"pipeline.{name}": value for name, value in point.items() if name.endswith((".type", ".alpha"))}
    return {
        **said,
        "pipeline.augmentation.copies": 1,
        "pipeline.augmentation.steps": steps,
        "pipeline.augmentation.mixup.beta": None if mixup is None else mixup["beta"],
    }


def tasks(paper: Path) -> Iterator[tuple[str, Table, Foretold]]:
    """Each task of the paper, with what its runs came to and what the others foretell."""
    table = pd.read_csv(paper / "runs.csv")
    with tempfile.TemporaryDirectory() as folder:
        import_table(HERE.parent / "examples" / "paper-runs.yaml", paper / "runs.csv", Path(folder))
        frame = load(folder)
    for task, runs in table[table["Model"] == STUDENT].groupby("task"):
        other = frame["data.source"] != task
        here = frame[~other & (frame["student.model"] == STUDENT)]
        yield str(task), Table(runs), Foretold(frame[other].reset_index(drop=True), here)


def course_of(table: Table, search: Study) -> Course:
    """Of a search in epochs, for as long as its budget lasts."""
    course: Course = []
    each: dict[int, float] = {}
    before = 0
    for spent, found in trials(table, search):
        each[search.trials()[-1].number] = (spent - before) * 3600 / HOUR
        before = spent
        course.append((spent, found, search.gain_an_hour(each) if len(each) >= len(search.config.first) else np.inf))
        if spent >= BUDGET:
            break
    return course


def curve(course: Course) -> NDArray[np.float64]:
    """[budget]: the best so far after so many epochs."""
    best = np.full(BUDGET, np.nan)
    for spent, found, _ in course:
        best[min(int(spent), BUDGET) - 1 :] = found if found > -np.inf else np.nan
    return best


def stops(courses: dict[str, list[Course]], budget: float | None) -> str:
    """Markdown: by `worth` what share of the time is saved, and how many points of retention that costs.

    Args:
        courses: By dataset, of each seed.
        budget: What a search takes that does not stop; None: until all points are tried.
    """
    names = [*courses]
    lines = [f"| worth | {' | '.join(names)} | all | points lost, most |", "|---|" + "---|" * (len(names) + 2)]
    for worth in WORTHS:
        saved = {name: [stopped(course, worth, budget) for course in of_name] for name, of_name in courses.items()}
        each = [
            f"{np.mean([time for time, _ in of]):.0%}, {np.mean([lost for _, lost in of]):.2f}" for of in saved.values()
        ]
        time, lost = np.mean([np.mean(of, axis=0) for of in saved.values()], axis=0)
        most = max(lost for of in saved.values() for _, lost in of)
        lines.append(f"| {worth:g} | {' | '.join(each)} | {time:.0%}, {lost:.2f} | {most:.2f} |")
    return "\n".join(lines)


def stopped(course: Course, worth: float, budget: float | None) -> tuple[float, float]:
    """The share of the time that is saved, and the points of retention that are lost."""
    end, best, _ = course[-1]
    spent, found = next(((spent, found) for spent, found, gain in course if gain < worth), (end, best))
    return max(0.0, 1 - spent / (budget or end)), 100 * (best - found)


def own(folder: Path) -> str:
    """Both tables of this project's own study."""
    runs = pd.concat([study(folder, name) for name in DATASETS], ignore_index=True)
    lines = ["| trials to 99 % of the best | cold | warm | prior |", "|---|---|---|---|"]
    courses, total = {}, np.zeros(3)
    for name in DATASETS:
        here = runs["study"] == name
        recommender = Recommender().fit(runs[~here].drop(columns=["study", "pipeline"]).reset_index(drop=True))
        asked = runs[here].reset_index(drop=True)
        expected = recommender.predict(asked.drop(columns=["study", "pipeline", "retention"])).to_numpy(float)
        came = asked.set_index("pipeline")["retention"]
        first = pd.Series(expected, came.index).sort_values(ascending=False).index[:FIRST]
        content = json.loads((folder / name / "search.json").read_text())
        took = {json.dumps(each["point"], sort_keys=True): each["seconds"] for each in content["trials"]}
        space = read_space(yaml.safe_load((folder / name / "search.yaml").read_text())["space"], name)
        seconds = expected_seconds(recommender.known.frame, asked)
        prior = Prior(space, [json.loads(point) for point in came.index], expected, seconds)
        courses[name] = [of_study(prior, came, took, [*first])]
        best = [found for _, found, _ in courses[name][0]]
        orders = [lot(came, seed) for seed in range(SEEDS)]
        needed = [
            np.mean([reached(came[order], came) for order in orders]),
            np.mean([reached(came[[*first, *[one for one in order if one not in first]]], came) for order in orders]),
            reached(pd.Series(best), came),
        ]
        total += needed
        lines.append(f"| {name} | {' | '.join(f'{each:.1f}' for each in needed)} |")
    lines.append(f"| all | {' | '.join(f'{each:.1f}' for each in total)} |")
    return "\n".join([*lines, "", stops(courses, None)])


def reached(found: Sequence[float] | pd.Series, came: pd.Series) -> int:
    """After how many trials one was as good as 99 % of the best."""
    return int(np.argmax(np.asarray(found) >= NEARLY * came.max())) + 1


def of_study(prior: Prior, came: pd.Series, took: dict[str, float], first: list[str]) -> Course:
    """A search of all 24 pipelines that begins with some."""
    points = {point: place for place, point in enumerate(came.index)}
    config = SearchConfig.model_validate(
        {"base": "", "space": {"seed": [0]}, "sampler": "prior", "knowledge": "the other datasets", "confirm": None}
    )
    search = Study(config, prior.space, optuna.create_study(direction="maximize"), lambda asked: asked(), prior)
    spent, best, each = 0.0, -np.inf, {}
    course: Course = []
    for place in range(len(points)):
        if place < len(first):
            search.optuna_study.enqueue_trial(prior.points[points[first[place]]])
        proposed = search.propose(lambda _: None)
        assert proposed is not None
        number = proposed[0]
        point = json.dumps(search.trials()[number].params, sort_keys=True)
        search.end(number, TrialState.COMPLETE, [float(came[point])])
        each[number] = took[point]
        spent, best = spent + took[point], max(best, float(came[point]))
        course.append((spent, best, search.gain_an_hour(each) if len(each) >= len(first) else np.inf))
    return course


if __name__ == "__main__":
    main()
