"""Which objective between layers pays, measured on TREC questions: the demo's student with each, over several seeds.

All share the teacher of a seed. Finished runs are reused, so that the script can be stopped and started again.

    python benchmarks/objectives.py --seeds 3
"""

import argparse
import math
import shutil
from pathlib import Path

import pandas as pd

from distiller import Pipeline, distill

DEMO = Path(__file__).resolve().parent.parent / "src" / "distiller" / "cli" / "demo.yaml"
BALANCED = "objective.balance=ema"
OBJECTIVES: dict[str, list[str]] = {
    "kl alone": [],
    **{
        f"kl and {name}": [f"objective.intermediate={{type: {name}}}", BALANCED]
        for name in ("mse", "cos", "pkd", "ce", "infonce", "mi", "rkd", "cka", "minilm", "simple-contrastive")
    },
    "kl and mi, feature mean": ["objective.intermediate={type: mi, feature: mean}", BALANCED],
    "kl and mi, feature tokens": ["objective.intermediate={type: mi, feature: tokens}", BALANCED],
    **{
        f"kl and {name}, 1024 further negatives": [
            f"objective.intermediate={{type: {name}, negatives: store, extra_negatives: 1024}}",
            BALANCED,
        ]
        for name in ("infonce", "mi")
    },
    "kl and mi, mapping emd": ["objective.intermediate={type: mi}", "mapping={type: emd}", BALANCED],
    "kl and mse, mapping emd": ["objective.intermediate={type: mse}", "mapping={type: emd}", BALANCED],
}


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/objectives"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[*OBJECTIVES], help="Some of the objectives, by name.")
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for title in arguments.only:
            changes = OBJECTIVES[title]
            out = arguments.out / title.replace(",", "").replace(" ", "-") / str(seed)
            record = distill(Pipeline.from_yaml(DEMO, [*changes, f"seed={seed}"]), out, resume=True).record
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            rows.append(
                {
                    "objective": title,
                    "accuracy": 100 * record.metrics["score"],
                    "retention": 100 * (record.retention or 0.0),
                    "nats": _last_pair(record.metrics.get("mutual_information", {})),
                    "seconds": record.cost["train_seconds"],
                }
            )
    print(_table(pd.DataFrame(rows)))


def _last_pair(bounds: dict[str, float]) -> float:
    """What a bound shows of the teacher's last layer in the student's, in nats, on validation; NaN if it is none."""
    return next(reversed(bounds.values()), math.nan)


def _table(frame: pd.DataFrame) -> str:
    """Markdown: mean, least and most over the seeds, in points of accuracy on test; the best first."""
    grouped = frame.groupby("objective", sort=False)
    best_first = grouped["accuracy"].mean().sort_values(ascending=False).index
    lines = ["| objective | accuracy | retention | last pair, nats | training, seconds |", "|---|---|---|---|---|"]
    for objective in best_first:
        rows = grouped.get_group(objective)
        accuracy = f"{rows['accuracy'].mean():.1f} ({rows['accuracy'].min():.1f} to {rows['accuracy'].max():.1f})"
        nats = "" if rows["nats"].isna().any() else f"{rows['nats'].mean():.2f}"
        retention, seconds = rows["retention"].mean(), rows["seconds"].median()
        lines.append(f"| {objective} | {accuracy} | {retention:.1f} % | {nats} | {seconds:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
