"""Do intervals of contrasts hold the truth as often as they say, where runs are few of their kind?

Made-up tables of four choices with three levels each. What a level of the first choice does differs between datasets as
much as levels differ; what is true is the mean over all datasets and pipelines that there could be. Either datasets are
few (80 runs each), or pipelines are, each with several seeds or on several datasets, and what choices do together
matters as much as what they do alone.

    python benchmarks/contrast_coverage.py --repeats 60
"""

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from distiller.analysis.contrasts import contrasts
from distiller.analysis.surrogate import fit_surrogate
from distiller.analysis.table import prepare

FIRST = "objective.intermediate.type"
NAMES = (FIRST, "mapping.type", "objective.prediction.type", "training.batch_size")
LEVELS = np.array(["a", "b", "c"], object)
EFFECT = np.array([0.0, 0.01, 0.02])
SPREAD, NOISE = 0.02, 0.005


@dataclass(frozen=True)
class Setting:
    """So many runs on so many datasets, of so many pipelines with so many seeds; None: pipelines by lot."""

    datasets: int
    pipelines: int | None
    seeds: int


SETTINGS = {
    "two datasets": Setting(2, None, 80),
    "three datasets": Setting(3, None, 80),
    "five datasets": Setting(5, None, 80),
    "30 pipelines with 8 seeds each": Setting(1, 30, 8),
    "24 pipelines on 5 datasets": Setting(5, 24, 1),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=60, help="tables of each setting")
    repeats = parser.parse_args().repeats
    print("| runs | intervals of the first choice that hold the truth | of all choices | median width |")
    print("|---|---|---|---|")
    for name, setting in SETTINGS.items():
        found = pd.concat([judged(setting, seed) for seed in tqdm(range(repeats), desc=name, leave=False)])
        first = found[found["choice"] == FIRST]
        width = (found["high"] - found["low"]).median()
        print(f"| {name} | {first['held'].mean():.0%} | {found['held'].mean():.0%} | {width:.3f} |")


def judged(setting: Setting, seed: int) -> pd.DataFrame:
    """Overall contrasts of one table, and whether each holds the truth."""
    random = np.random.default_rng(seed)
    table = prepare(runs(setting, random))
    surrogate = fit_surrogate(table, random)
    found = contrasts(surrogate.completed(table), surrogate.disagreement, random)
    overall = found[found["scope"] == "overall"].copy()
    levels = [overall[side].map(LEVELS.tolist().index).to_numpy() for side in ("level", "other")]
    truth = np.where(overall["choice"] == FIRST, EFFECT[levels[0]] - EFFECT[levels[1]], 0.0)
    overall["held"] = (overall["low"] <= truth) & (truth <= overall["high"])
    return overall


def runs(setting: Setting, random: np.random.Generator) -> pd.DataFrame:
    """A table; what choices do together has no main effect."""
    shape = (3,) * len(NAMES)
    if setting.pipelines is None:
        count = setting.datasets * setting.seeds
        codes, data = random.integers(3, size=(len(NAMES), count)), np.repeat(range(setting.datasets), setting.seeds)
        together = np.zeros(shape)
    else:
        each = setting.datasets * setting.seeds
        tried = np.repeat(random.permutation(3 ** len(NAMES))[: setting.pipelines], each)
        codes = np.array(np.unravel_index(tried, shape))
        data = np.tile(np.arange(each) % setting.datasets, setting.pipelines)
        together = random.normal(0, SPREAD, shape)
        for axis in range(len(shape)):
            others = tuple(other for other in range(len(shape)) if other != axis)
            together -= together.mean(axis=others, keepdims=True)
    likes = random.normal(0, SPREAD if setting.datasets > 1 else 0, (setting.datasets, 3))
    level = random.normal(0.9, 0.05, setting.datasets)
    retention = level[data] + EFFECT[codes[0]] + likes[data, codes[0]] + together[tuple(codes)]
    columns = {f"pipeline.{name}": LEVELS[code] for name, code in zip(NAMES, codes, strict=True)}
    noise = random.normal(0, NOISE, len(data))
    return pd.DataFrame(columns | {"data.source": [f"data-{place}" for place in data], "retention": retention + noise})


if __name__ == "__main__":
    main()
