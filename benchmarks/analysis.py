"""How long an analysis of many runs takes, and what memory: run records are made up, in the space of the paper.

python benchmarks/analysis.py --runs 100000
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

import distiller

AUGMENTERS = ("contextual", "back_translation", "random")
SHARES = (0.1, 0.3, 0.5)


def main() -> None:
    """Make the runs, analyse them, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--datasets", type=int, default=12)
    parser.add_argument("--pruned", type=float, default=0.3, help="The share of runs that were pruned.")
    arguments = parser.parse_args()
    frame = runs(arguments.runs, arguments.datasets, arguments.pruned, np.random.default_rng(0))
    start = time.perf_counter()
    analysis = distiller.analyze(frame)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(*analysis.sentences, *analysis.notes, sep="\n")
    print("| runs | choices | seconds | peak memory, GB |\n|---|---|---|---|")
    choices = (analysis.importance["kind"] == "choice") & (analysis.importance["method"] == "functional ANOVA")
    print(f"| {len(frame):,} | {int(choices.sum())} | {seconds:.0f} | {memory:.2f} |")


def runs(count: int, datasets: int, pruned: float, random: np.random.Generator) -> pd.DataFrame:
    """Records of pipelines drawn by lot, with retention made of a few effects, some of them by dataset, and noise."""
    dataset = random.integers(datasets, size=count)
    kind = random.integers(6, size=count)
    mapping, prediction, mixup = (
        random.integers(3, size=count),
        random.integers(2, size=count),
        random.random(count) < 0.5,
    )
    order = np.argsort(random.random((count, 3)), axis=1)
    used = random.integers(4, size=count)
    share = random.integers(3, size=count)
    rate = 10 ** random.uniform(-5, -3, size=count)
    steps = [
        [{"type": AUGMENTERS[place], "p": SHARES[p]} for place in places[:number]]
        for places, number, p in zip(order, used, share, strict=True)
    ]
    alpha = random.integers(6, size=count)
    likes = random.normal(0, 0.004, size=(datasets, 6))
    retention = 0.93 + likes[dataset, kind] + 0.003 * kind + 0.004 * mapping * (kind > 0) + 0.01 * mixup
    retention += 0.003 * used * (dataset < datasets // 2) - 0.01 * (np.log10(rate) + 4) ** 2
    retention += random.normal(0, 0.01, size=count)
    names = np.array([None, "mse", "ce", "cos", "pkd", "mi"], object)
    return pd.DataFrame(
        {
            "id": [str(number) for number in range(count)],
            "status": np.where(random.random(count) < pruned, "pruned", "finished"),
            "retention": retention,
            "data.source": [f"data-{number}" for number in dataset],
            "data.n_train": 500 * 2**dataset,
            "teacher.model": np.array(["base", "large"], object)[random.integers(2, size=count)],
            "student.parameters": np.array([4e6, 14e6])[random.integers(2, size=count)],
            "pipeline.student.layers": np.array([2, 4])[random.integers(2, size=count)],
            "pipeline.objective.intermediate.type": names[kind],
            "pipeline.objective.intermediate.alpha": np.where(kind == 5, alpha / 5, np.nan),
            "pipeline.mapping.type": np.where(kind > 0, np.array(["skip", "last", "emd"], object)[mapping], None),
            "pipeline.objective.prediction.type": np.array(["ce", "mse"], object)[prediction],
            "pipeline.augmentation.mixup.beta": np.where(mixup, 0.4, np.nan),
            "pipeline.augmentation.steps": steps,
            "pipeline.augmentation.copies": np.array([1, 2, 4])[random.integers(3, size=count)],
            "pipeline.training.learning_rate": rate,
        }
    )


if __name__ == "__main__":
    main()
