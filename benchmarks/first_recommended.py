"""What is recommended first, distilled: on each dataset of our own study, by what is known of the other three alone.

Beside it stand the pipeline of the 24 that is best on average on the other three, and labels alone. The first
recommended need not be among the 24: it may put together parts of several. Retention is on test, which none of them
saw; a seed is that of the student. Finished runs are reused. The study is made as `benchmarks/study.py` says.

    python benchmarks/first_recommended.py --study runs/study --out runs/first-recommended --seeds 3
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distiller import Pipeline, Recommender, distill
from distiller.runs import RunRecord
from distiller.search.point import pipeline_at
from study import DATASETS, against, best_on_average, study

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "study"
FIRST, AVERAGE, LABELS = "first recommended", "best on average of the others", "labels alone"


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path("runs/study"))
    parser.add_argument("--out", type=Path, default=Path("runs/first-recommended"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    runs = pd.concat([study(arguments.study, name) for name in DATASETS], ignore_index=True)
    retention: dict[str, dict[str, list[float]]] = {}
    for seed in range(arguments.seeds):
        for dataset in DATASETS:
            for name, pipeline in contenders(runs, arguments.study, dataset).items():
                out = arguments.out / dataset / name.replace(" ", "-") / str(seed)
                asked = pipeline.replace(training=pipeline.training.replace(seed=seed))
                record = distill(asked, out, resume=True).record
                shutil.rmtree(out / "checkpoints", ignore_errors=True)
                retention.setdefault(name, {}).setdefault(dataset, []).append(record.retention or 0.0)
    print(table(retention))
    means = {
        name: {dataset: float(np.mean(each)) for dataset, each in of_each.items()}
        for name, of_each in retention.items()
    }
    for other in (AVERAGE, LABELS):
        print(against(means[FIRST], means[other], other))


def contenders(runs: pd.DataFrame, folder: Path, dataset: str) -> dict[str, Pipeline]:
    """What each has one train on a dataset, by runs on the others."""
    base = Pipeline.from_yaml(EXAMPLES / f"{dataset}-base.yaml")
    others = runs[runs["study"] != dataset].drop(columns=["study", "pipeline"]).reset_index(drop=True)
    came = {name: runs[runs["study"] == name].set_index("pipeline")["retention"] for name in DATASETS}
    alone: dict[str, Any] = {"objective.prediction": None, "objective.hard_label.weight": 1.0}
    return {
        FIRST: Recommender().fit(others).advise(base, 1).recommendations[0].pipeline,
        AVERAGE: tried(folder / dataset, best_on_average(came, dataset)),
        LABELS: pipeline_at(base, alone),
    }


def tried(folder: Path, point: str) -> Pipeline:
    """The pipeline of a search that stands at that point."""
    trials = json.loads((folder / "search.json").read_text())["trials"]
    number = next(trial["trial"] for trial in trials if json.dumps(trial["point"], sort_keys=True) == point)
    return Pipeline.model_validate(RunRecord.read(folder / "runs" / f"{number:04}" / "run").pipeline)


def table(retention: dict[str, dict[str, list[float]]]) -> str:
    """Markdown: the mean over seeds, least and most."""
    lines = ["| retention on test | " + " | ".join(DATASETS) + " | mean |", "|---|" + "---|" * (len(DATASETS) + 1)]
    for name, of_each in retention.items():
        cells = [f"{np.mean(each):.1%} ({min(each):.1%} to {max(each):.1%})" for each in of_each.values()]
        mean = np.mean([np.mean(each) for each in of_each.values()])
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {mean:.1%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
