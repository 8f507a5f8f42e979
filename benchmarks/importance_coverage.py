"""How often intervals of importance hold the truth: ours, and the bootstrap of Optuna's forest, on the same tables.

Tables are made up, of four choices with three levels, so that each choice's share of the variance is known.

    python benchmarks/importance_coverage.py --repeats 40
"""

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from distiller.analysis.importance import functional_anova
from distiller.analysis.surrogate import fit_surrogate
from distiller.analysis.table import prepare

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from analysis_responses import LEVELS, response

EFFECTS = {(0,): 0.4, (1,): 0.2, (0, 1): 0.3, (2, 3): 0.1}
NOISE = 0.01
RESAMPLED, TREES = 40, 16


def main() -> None:
    """Count, and print a row for each method and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--sizes", type=int, nargs="*", default=[60, 300])
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(logging.WARNING)
    print("| runs | intervals | hold the truth | mean width |\n|---|---|---|---|")
    for size in arguments.sizes:
        found: dict[str, list[tuple[bool, float]]] = {"ours": [], "bootstrap of Optuna's forest": []}
        for repeat in range(arguments.repeats):
            random = np.random.default_rng((size, repeat))
            truth = response(EFFECTS, 4, random)
            frame = truth.table(size, lambda runs, random=random: NOISE * random.standard_normal(runs), random)
            shares = truth.shares()
            for method, intervals in zip(found, (ours(frame, random), of_forest(frame, random)), strict=True):
                found[method] += [(low <= shares[name] <= high, high - low) for name, (low, high) in intervals.items()]
        for method, each in found.items():
            held, widths = zip(*each, strict=True)
            print(f"| {size} | {method} | {np.mean(held):.0%} | {np.mean(widths):.2f} |", flush=True)


def ours(frame: pd.DataFrame, random: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Intervals of single choices."""
    shares = functional_anova(fit_surrogate(prepare(frame), random), reliability=1.0)
    single = shares[shares["kind"] == "choice"]
    return {row["name"]: (row["low"], row["high"]) for _, row in single.iterrows()}


def of_forest(frame: pd.DataFrame, random: np.random.Generator) -> dict[str, tuple[float, float]]:
    """95 % percentiles of the shares that forests of resampled runs give."""
    names = [name for name in frame if name.startswith("pipeline.")]
    space = {name: optuna.distributions.CategoricalDistribution(LEVELS) for name in names}
    trials = [
        optuna.trial.create_trial(
            params={name: row[name] for name in names}, distributions=space, value=row["retention"]
        )
        for _, row in frame.iterrows()
    ]
    drawn = []
    for _ in range(RESAMPLED):
        study = optuna.create_study()
        study.add_trials([trials[row] for row in random.integers(len(trials), size=len(trials))])
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=int(random.integers(2**31)))
        drawn.append(evaluator.evaluate(study))
    shares = pd.DataFrame(drawn)
    return {name.removeprefix("pipeline."): tuple(shares[name].quantile([0.025, 0.975])) for name in names}


if __name__ == "__main__":
    main()
