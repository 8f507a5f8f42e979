"""What recommendations are worth on this project's own study: 24 pipelines on four datasets, each left out in turn.

Of the dataset that is left out nothing is known; all learn from runs on the other three, and choose among the 24. The
searches are replayed on recorded runs: how many trials until one has come to 99 % of the best of all 24. A cold search
tries pipelines in an order by lot; a warm one begins with the five that are recommended. 20 seeds each.

The runs are made by, for each D of trec, trec-fine, sms-spam, tweets-sentiment (20 to 25 minutes each on one core):

    distiller search examples/study/D.yaml --out runs/study/D
    distiller distill examples/study/D-base.yaml --set objective.prediction=null \\
        --set objective.hard_label.weight=1.0 --out runs/study/labels-alone/D

    python benchmarks/study.py --study runs/study
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from distiller import Recommender
from distiller.runs import load

DATASETS = ("trec", "trec-fine", "sms-spam", "tweets-sentiment")
SEEDS, FIRST, NEARLY = 20, 5, 0.99


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path("runs/study"))
    arguments = parser.parse_args()
    runs = pd.concat([study(arguments.study, name) for name in DATASETS], ignore_index=True)
    alone = {name: load(arguments.study / "labels-alone" / name)["retention"].iloc[0] for name in DATASETS}
    scores = {name: foretold(runs, name) for name in DATASETS}
    print("| retention on test | " + " | ".join(DATASETS) + " | mean |\n|---|" + "---|" * (len(DATASETS) + 1))
    came = {name: runs[runs["study"] == name].set_index("pipeline")["retention"] for name in DATASETS}
    on_average = {name: best_on_average(came, name) for name in DATASETS}
    rows = {
        "first recommended": {name: float(came[name][scores[name].idxmax()]) for name in DATASETS},
        "best on average of the others": {name: float(came[name][on_average[name]]) for name in DATASETS},
        "labels alone": alone,
        "mean of the 24": {name: float(came[name].mean()) for name in DATASETS},
        "best of the 24": {name: float(came[name].max()) for name in DATASETS},
    }
    for title, of_each in rows.items():
        values = [of_each[name] for name in DATASETS]
        print(f"| {title} | " + " | ".join(f"{value:.1%}" for value in values) + f" | {np.mean(values):.1%} |")
    for other in ("best on average of the others", "labels alone", "mean of the 24"):
        print(against(rows["first recommended"], rows[other], other))
    print()
    print("| trials to 99 % of the best, mean of 20 seeds | cold | warm | share |\n|---|---|---|---|")
    needed = []
    for name in DATASETS:
        cold = np.mean([trials(came[name], lot(came[name], seed)) for seed in range(SEEDS)])
        first = scores[name].sort_values(ascending=False).index[:FIRST]
        warm = np.mean([trials(came[name], [*first, *lot(came[name].drop(first), seed)]) for seed in range(SEEDS)])
        needed.append((cold, warm))
        print(f"| {name} | {cold:.1f} | {warm:.1f} | {warm / cold:.2f} |")
    cold, warm = np.sum(needed, axis=0)
    print(f"| all | {cold:.1f} | {warm:.1f} | {warm / cold:.2f} |")


def study(folder: Path, name: str) -> pd.DataFrame:
    """The runs of a search, with what tells its pipelines apart whatever the dataset is."""
    runs = load(folder / name / "runs")
    runs = runs[runs["status"] == "finished"].reset_index(drop=True)
    points = {
        trial["trial"]: json.dumps(trial["point"], sort_keys=True)
        for trial in json.loads((folder / name / "search.json").read_text())["trials"]
    }
    order = runs["created"].rank(method="first").astype(int) - 1
    return runs.assign(study=name, pipeline=[points[number] for number in order])


def foretold(runs: pd.DataFrame, name: str) -> pd.Series:
    """What each pipeline is expected to come to on a dataset, by runs on the others."""
    here = runs["study"] == name
    columns = ["study", "pipeline"]
    recommender = Recommender().fit(runs[~here].drop(columns=columns).reset_index(drop=True))
    asked = runs[here].drop(columns=[*columns, "retention"]).reset_index(drop=True)
    return pd.Series(recommender.predict(asked).to_numpy(), index=runs[here]["pipeline"].to_numpy())


def best_on_average(came: dict[str, pd.Series], name: str) -> str:
    """The pipeline with the highest mean rank on the other datasets."""
    ranks = [came[other].rank(pct=True) for other in came if other != name]
    return str(pd.concat(ranks, axis=1).mean(axis=1).idxmax())


def against(ours: dict[str, float], other: dict[str, float], title: str) -> str:
    """The mean difference over datasets, with its interval by pairs."""
    difference = 100 * np.array([ours[name] - other[name] for name in DATASETS])
    half = student_t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference))
    mean = difference.mean()
    return f"First recommended against {title}: {mean:+.1f} points [{mean - half:.1f}, {mean + half:.1f}], n = 4."


def lot(came: pd.Series, seed: int) -> list[str]:
    """Pipelines in an order by lot."""
    return [str(came.index[place]) for place in np.random.default_rng(seed).permutation(len(came))]


def trials(came: pd.Series, order: list[str]) -> int:
    """How many until one is as good as 99 % of the best."""
    reached = came[order].to_numpy() >= NEARLY * came.max()
    return int(np.argmax(reached)) + 1


if __name__ == "__main__":
    main()
