"""Recommendations for a task of which no run is known, by this project and by its peers, on the paper's own runs.

Each task is left out in turn; all learn from runs on the others, and rank those on this one. The gain is how far the
mean retention of the first five lies from the mean of all (0) to the best (1). `--autogluon PYTHON` is the interpreter
of an environment with `autogluon.tabular` (its pandas is not ours); it gets what the paper gave it, with the features
of `dataset_features.csv`. LightGBM has to be installed besides.

The rows that "have seen the task" are no contenders: they learn from nine tenths of the pipelines run on the task
itself, say what they expect of the other tenth, in turn, and so rank them all.

    python benchmarks/recommend.py --paper ../shared/data/paper
    python benchmarks/recommend.py --speed          # 100,000 texts, 10,000 known runs, everything cold
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distiller import Recommender
from distiller.analysis.choices import settings
from distiller.recommend.inputs import Inputs
from distiller.recommend.judging import gain
from distiller.recommend.known import known_runs
from distiller.recommend.learners import standing
from distiller.runs import import_table, load

HERE = Path(__file__).resolve().parent
SHUFFLES, FIRST = 200, 5
AUTOGLUON = """
import sys, pandas as pd
from autogluon.tabular import TabularPredictor
known, asked, out, folder = sys.argv[1:]
frame = pd.read_csv(known)
predictor = TabularPredictor(label="retention", path=folder, verbosity=0).fit(frame, time_limit=120)
predictor.predict(pd.read_csv(asked)).to_csv(out, index=False)
"""
Scores = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]
PARTITIONS = 5
SEEN: dict[str, Callable[[], Any]] = {
    "an additive model (ridge)": lambda: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 12))),
    "a forest (extra trees)": lambda: ExtraTreesRegressor(300, min_samples_leaf=2, random_state=0, n_jobs=-1),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paper", type=Path, default=Path("../shared/data/paper"), help="folder of the paper's tables")
    parser.add_argument("--autogluon", help="a Python that has autogluon.tabular")
    parser.add_argument("--speed", action="store_true", help="measure how long an answer takes, and nothing else")
    arguments = parser.parse_args()
    if arguments.speed:
        print(f"{seconds_of_an_answer():.1f} s for 100,000 texts and 10,000 known runs")
        return
    with tempfile.TemporaryDirectory() as folder:
        import_table(HERE.parent / "examples" / "paper-runs.yaml", arguments.paper / "runs.csv", Path(folder))
        frame = load(folder)
    features = pd.read_csv(arguments.paper / "dataset_features.csv").set_index("task")
    features.index = features.index.map(lambda name: {"sst": "sst-2"}.get(name, name))
    contenders: dict[str, Scores] = {
        "Distiller": lambda known, asked: Recommender().fit(known).predict(asked).to_numpy(),
        "extra trees on ranks": extra_trees,
        "LightGBM on retention": light_gbm,
        "best on average": best_on_average,
    }
    if arguments.autogluon:
        contenders["AutoGluon, the paper's features"] = lambda known, asked: autogluon(
            arguments.autogluon, with_features(known, features), with_features(asked, features)
        )
    came = frame.set_index("id")["retention"]
    contenders["an oracle"] = lambda _, asked: came[asked["id"]].to_numpy()
    rows = {name: judged(frame, scores) for name, scores in contenders.items()}
    for name, learner in SEEN.items():
        rows[f"{name} that has seen the task"] = judged(frame, lambda _, asked, one=learner: seen(one, asked, came))
    rows["chance"] = judged(frame, None)
    print("| | mean gain | least | Spearman | " + " | ".join(rows["chance"].index) + " |")
    print("|---|---|---|---|" + "---|" * len(rows["chance"]))
    for name, found in rows.items():
        gains = found["gain"]
        each = " | ".join(f"{value:.2f}" for value in gains)
        print(f"| {name} | {gains.mean():.2f} | {gains.min():.2f} | {found['order'].mean():.2f} | {each} |")
    print(intervals(frame))


def judged(frame: pd.DataFrame, scores: Scores | None) -> pd.DataFrame:
    """Gain and rank correlation by task; without scores, the mean over orders by lot."""
    rows = {}
    for task in sorted(frame["data.source"].unique()):
        here = frame["data.source"] == task
        known, asked = frame[~here].reset_index(drop=True), frame[here].reset_index(drop=True)
        came = asked["retention"].to_numpy(float)
        if scores is None:
            lots = [np.random.default_rng(seed).random(len(came)) for seed in range(SHUFFLES)]
        else:
            lots = [scores(known, asked.drop(columns="retention"))]
        rows[task] = {
            "gain": np.mean([gain(came, lot) for lot in lots]),
            "order": np.mean([spearmanr(lot, came)[0] for lot in lots]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def intervals(frame: pd.DataFrame) -> str:
    """How many runs of each task lie in the intervals that runs on the others give, and how wide these are."""
    shares, widths = {}, []
    for task in sorted(frame["data.source"].unique()):
        here = frame["data.source"] == task
        foretold = Recommender().fit(frame[~here].reset_index(drop=True)).foretell(frame[here])
        held = (foretold["low"] <= frame[here]["retention"]) & (frame[here]["retention"] <= foretold["high"])
        shares[task] = held.mean()
        widths.append((foretold["high"] - foretold["low"]).mean())
    each = ", ".join(f"{task} {share:.0%}" for task, share in shares.items())
    mean, width = np.mean([*shares.values()]), 100 * np.mean(widths)
    return f"In their 80 % intervals, {width:.0f} points wide in the mean, lie {mean:.0%} of the runs: {each}."


def extra_trees(known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    """On the rank within a task."""
    runs = known_runs(known)
    inputs = Inputs.learn(runs.frame, runs.dataset)
    forest = ExtraTreesRegressor(500, random_state=0, n_jobs=-1)
    forest.fit(inputs.matrix(runs.frame), standing(runs.outcome, runs.dataset))
    return np.asarray(forest.predict(inputs.matrix(asked)))


def light_gbm(known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    """On retention as it is."""
    from lightgbm import LGBMRegressor

    runs = known_runs(known)
    inputs = Inputs.learn(runs.frame, runs.dataset)
    model = LGBMRegressor(random_state=0, verbose=-1).fit(inputs.matrix(runs.frame), runs.outcome)
    return np.asarray(model.predict(inputs.matrix(asked)))


def seen(learner: Callable[[], Any], asked: pd.DataFrame, came: pd.Series) -> np.ndarray:
    """Of each pipeline run on a task, by nine tenths of the others; the mean of five partitions."""
    found = asked.assign(retention=came[asked["id"]].to_numpy())
    runs = known_runs(found)
    matrix = np.nan_to_num(Inputs.learn(runs.frame, runs.dataset).matrix(runs.frame))
    order = standing(runs.outcome, runs.dataset)
    pipelines = np.unique(matrix, axis=0, return_inverse=True)[1]
    expected = [
        cross_val_predict(
            learner(), matrix, order, groups=pipelines, cv=GroupKFold(10, shuffle=True, random_state=seed)
        )
        for seed in range(PARTITIONS)
    ]
    return np.asarray(np.mean(expected, axis=0))


def best_on_average(known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    """The mean rank of the same pipeline and student on other tasks; of one that nobody ran there, the middle."""
    runs = known_runs(known)
    inputs = Inputs.learn(runs.frame, runs.dataset)
    choices = sum(len(levels) for levels in inputs.levels.values())
    keys, wanted = ([tuple(row) for row in inputs.matrix(frame)[:, :choices]] for frame in (runs.frame, asked))
    means = pd.Series(standing(runs.outcome, runs.dataset)).groupby(pd.Series(keys)).mean()
    return np.array([means.get(key, 0.5) for key in wanted])


def with_features(frame: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """What the paper gave it: all choices, teacher, student and size, with the features of the task; not its name."""
    told = {"teacher.model": frame["teacher.model"], "student.model": frame["student.model"]}
    numbers = {name: frame[name] for name in ("data.n_train", "student.parameters", "retention") if name in frame}
    chosen = {name: values.to_numpy() for name, values in settings(frame).items()}
    of_task = features.reindex(frame["data.source"]).reset_index(drop=True).add_prefix("feature ")
    return pd.concat([pd.DataFrame({**chosen, **told, **numbers}), of_task], axis=1)


def autogluon(python: str, known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    """Foretold by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        known.to_csv(place / "known.csv", index=False)
        asked.reindex(columns=known.columns).drop(columns="retention").to_csv(place / "asked.csv", index=False)
        paths = [str(place / name) for name in ("known.csv", "asked.csv", "out.csv", "models")]
        subprocess.run([python, "-c", AUTOGLUON, *paths], check=True, capture_output=True)
        return pd.read_csv(place / "out.csv").iloc[:, 0].to_numpy(float)


def seconds_of_an_answer() -> float:
    """From the start of the command to its end, with a cache that has models and nothing else."""
    from distiller.assets import cache_folder

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "cache").mkdir()
        (place / "cache" / "assets").symlink_to(cache_folder() / "assets", target_is_directory=True)
        write_texts(place / "texts.csv", 100_000)
        write_knowledge(place / "runs.csv", 10_000)
        environment = {**os.environ, "DISTILLER_CACHE": str(place / "cache"), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-m", "distiller"]
        known = str(place / "known")
        subprocess.run([*command, "knowledge", "add", str(place / "runs.csv"), "--knowledge", known], check=True)
        began = time.perf_counter()
        subprocess.run(
            [
                *[*command, "recommend", "--data", str(place / "texts.csv"), "--teacher", "asset:minilm-l6"],
                *["--student", "0,2,4", "--knowledge", known, "--out", str(place / "advice")],
            ],
            check=True,
            env=environment,
        )
        return time.perf_counter() - began


def write_texts(path: Path, count: int) -> None:
    """Made-up texts of twenty words in three classes."""
    random = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(20_000)])
    labels = random.integers(3, size=count)
    places = np.minimum(random.zipf(1.3, size=(count, 20)), 19_000) + labels[:, None] * 300
    texts = [" ".join(words[row]) for row in places]
    pd.DataFrame({"text": texts, "label": [f"class {label}" for label in labels]}).to_csv(path, index=False)


def write_knowledge(path: Path, count: int) -> None:
    """Records of made-up runs on twenty datasets."""
    random = np.random.default_rng(0)
    data = random.integers(20, size=count)
    kind = random.integers(5, size=count)
    frame = pd.DataFrame(
        {
            "id": [str(number) for number in range(count)],
            "status": "finished",
            "data.source": [f"data-{number}" for number in data],
            "data.n_train": 500 * 2 ** (data % 8),
            **{f"data.features.feature_{place}": random.normal(size=20)[data] for place in range(20)},
            "data.features.embedding": [
                json.dumps(row) for row in random.normal(size=(20, 32)).round(4)[data].tolist()
            ],
            "pipeline.task": "classification",
            "pipeline.objective.intermediate.type": np.array(["mi", "mse", "cos", "pkd", "ce"])[kind],
            "pipeline.mapping.type": random.choice(["skip", "last", "emd"], size=count),
            "pipeline.objective.prediction.type": random.choice(["ce", "kl", "mse"], size=count),
            "pipeline.augmentation.mixup.beta": random.choice([0.4, np.nan], size=count),
            "pipeline.training.epochs": random.choice([3, 6], size=count),
            "pipeline.training.learning_rate": 10 ** random.uniform(-5, -3, size=count),
            "student.parameters": random.choice([4e6, 14e6, 29e6], size=count),
            "student.layers": random.choice([2, 4, 6], size=count),
            "student.width": 384,
            "teacher.parameters": 110e6,
            "cost.train_seconds": random.uniform(10, 100, size=count),
        }
    )
    frame["retention"] = 0.9 + 0.01 * kind + random.normal(0, 0.02, size=20)[data] + random.normal(0, 0.01, size=count)
    frame.to_csv(path, index=False)


if __name__ == "__main__":
    main()
