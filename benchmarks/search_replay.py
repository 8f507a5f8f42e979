"""Does the sampler find more than chance? Searches of the paper's space, replayed on what its authors measured.

What a point comes to is looked up: the mean retention of the nearest of the paper's runs of the same task (students
TinyBERT of 4 layers), by the number of fields in which they differ. So a search takes no training, and 30 seeds of each
are affordable. For halving a trial needs a course, which the table has not: after e of 9 epochs a student is taken to
be at its end value minus a gap that shrinks exponentially (a quarter of it left after 3 epochs) with noise of half the
spread of the task's runs that shrinks with it; that is an assumption, and the same for all. Searches are compared at
equal cost, in epochs.

    python benchmarks/search_replay.py --table ../shared/data/paper/runs.csv --out docs/search-replay.svg
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray
from optuna.trial import TrialState

from distiller.search.config import SearchConfig
from distiller.search.halving import rungs
from distiller.search.prior import Prior
from distiller.search.space import read_space
from distiller.search.study import Study

EPOCHS, TRIALS, STUDENT = 9, 40, "TinyBERT4"
AUGMENTERS = {"contextual": "contextual", "back_translation": "backtranslation", "random": "random"}
CONTENDERS = {
    "random": {"sampler": "random", "pruner": "none"},
    "tpe": {"sampler": "tpe", "pruner": "none"},
    "random and halving": {"sampler": "random", "pruner": "asha"},
    "tpe and halving": {"sampler": "tpe", "pruner": "asha"},
}


def main() -> None:
    """Replay, print mean ranks, draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path("../shared/data/paper/runs.csv"))
    parser.add_argument("--out", type=Path, default=Path("docs/search-replay.svg"))
    parser.add_argument("--seeds", type=int, default=30)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    frame = pd.read_csv(arguments.table)
    curves: dict[str, dict[str, NDArray[np.float64]]] = {}
    for task, runs in frame[frame["Model"] == STUDENT].groupby("task"):
        table = Table(runs)
        curves[str(task)] = {
            name: np.array([replayed(table, study_of(seed, **given)) for seed in range(arguments.seeds)])
            for name, given in CONTENDERS.items()
        }
    print(ranks(curves))
    draw(curves, arguments.out)


class Table:
    """The runs of one task, looked up by the nearest."""

    def __init__(self, runs: pd.DataFrame) -> None:
        rows = [fields(row) for row in runs.to_dict("records")]
        self._rows = pd.DataFrame(rows).to_numpy(dtype=object)
        self._retention = runs["ratio"].to_numpy(dtype=float)
        self.spread = float(self._retention.std())

    def retention(self, point: Mapping[str, Any]) -> float:
        """Of a point of the space."""
        wanted = np.array([*of_point(point).values()], dtype=object)
        distance = (self._rows != wanted).sum(axis=1)
        return float(self._retention[distance == distance.min()].mean())


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run of the paper is compared."""
    places = {name: int(row[column]) for name, column in AUGMENTERS.items()}
    order = tuple(sorted((name for name in places if places[name] > 0), key=places.__getitem__))
    kind = row["intermediate_loss_type"]
    return {
        "type": kind,
        "alpha": row["alpha"] if kind == "mi" else None,
        "mapping": row["intermediate_strategy"],
        "prediction": row["kd_loss_type"],
        "mixup": bool(row["mixup"]),
        "order": order,
        "p": row["aug_p"] if order else None,
    }


def of_point(point: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a point of `space: paper`."""
    order = tuple(step["type"] for step in point["augmentation.steps"])
    return {
        "type": point["objective.intermediate.type"],
        "alpha": point.get("objective.intermediate.alpha"),
        "mapping": point.get("mapping.type"),
        "prediction": point["objective.prediction.type"],
        "mixup": point["augmentation.mixup"] is not None,
        "order": order,
        "p": point.get("augmentation.steps.*.p"),
    }


def replayed(table: Table, study: Study, budget: int = TRIALS * EPOCHS) -> NDArray[np.float64]:
    """[budget]: the best end value of any trial that has ended after so many epochs of training in all."""
    best = np.full(budget, np.nan)
    for spent, found in trials(table, study):
        best[min(spent, budget) - 1 :] = found if found > -math.inf else np.nan
        if spent >= budget:
            break
    return best


def study_of(seed: int, prior: Prior | None = None, **given: Any) -> Study:
    """A search of the paper's space, in memory."""
    config = SearchConfig.model_validate({"base": "", "space": "paper", "seed": seed, "confirm": None, **given})
    memory = optuna.create_study(direction="maximize")
    return Study(config, read_space("paper", "replay"), memory, lambda asked: asked(), prior)


def trials(table: Table, study: Study) -> Iterator[tuple[int, float]]:
    """After each trial the epochs that all have taken together, and the best end value of any that has ended."""
    generator = np.random.default_rng(study.config.seed)
    spent, found = 0, -math.inf
    stops = rungs(study.config.rung, study.config.reduction, EPOCHS) if study.config.pruner == "asha" else []
    while (proposed := study.propose(lambda _: None)) is not None:
        number, point = proposed
        end = table.retention(point)
        done = 0
        for stop in stops:
            spent, done = spent + stop - done, stop
            if not study.report(number, stop, course(end, stop, table.spread, generator)):
                study.end(number, TrialState.PRUNED, None)
                break
        else:
            spent += EPOCHS - done
            found = max(found, end)
            study.end(number, TrialState.COMPLETE, [end])
        yield spent, found


def course(end: float, epochs: int, spread: float, generator: np.random.Generator) -> float:
    """What a trial has come to after some epochs."""
    left = 4.0 ** (-epochs / 3)
    return float(end - 2 * spread * left + 0.5 * spread * left * generator.standard_normal())


def ranks(curves: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> str:
    """Markdown: by task the mean rank over seeds of the best so far, averaged over the course; 1 is best."""
    names = [*next(iter(curves.values()))]
    lines = [f"| task | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    everything = []
    for task, of_task in curves.items():
        values = np.stack([np.nan_to_num(of_task[name], nan=-1.0) for name in names])  # [contenders, seeds, epochs]
        ranked = pd.DataFrame(values.reshape(len(names), -1)).rank(ascending=False).to_numpy().reshape(values.shape)
        everything.append(ranked.mean(axis=(1, 2)))
        lines.append(f"| {task} | " + " | ".join(f"{rank:.2f}" for rank in everything[-1]) + " |")
    lines.append("| mean | " + " | ".join(f"{rank:.2f}" for rank in np.mean(everything, axis=0)) + " |")
    return "\n".join(lines)


def draw(curves: Mapping[str, Mapping[str, NDArray[np.float64]]], path: Path) -> None:
    """Best so far against epochs spent, mean over seeds, one picture a task."""
    figure = Figure(figsize=(3.2 * len(curves), 3.0), layout="constrained")
    for axes, (task, of_task) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        for name, values in of_task.items():
            known = np.isfinite(values).all(axis=0)
            axes.plot(np.flatnonzero(known) + 1, values[:, known].mean(axis=0), label=name)
        axes.set_title(task, fontsize=9)
        axes.set_xlabel("epochs of training")
    figure.axes[0].set_ylabel("best retention so far")
    figure.axes[-1].legend(frameon=False, fontsize=7)
    FigureCanvasSVG(figure).print_svg(str(path), metadata={"Date": None})


if __name__ == "__main__":
    main()
