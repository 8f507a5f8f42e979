"""A teacher whose tokenizer is not the student's: what comparing hidden states word by word is worth.

The teacher is MPNet (12 layers, 768 wide), the student MiniLM (6 layers, 384 wide), on MRPC: pairs of sentences, judged
by accuracy on the official development set, the best epoch chosen on a tenth of the training set. The student learns
from logits alone, and from the mean squared error or a bound on mutual information between the states of each word
besides. All have the same teacher and data; a seed is that of the student. Finished runs are reused.

    python benchmarks/other_tokenizer.py --data ../shared/data --out runs/other-tokenizer --seeds 3
"""

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from distiller import Pipeline, distill

OBJECTIVES: dict[str, Any] = {
    "logits": None,
    "logits and mse by words": {"type": "mse"},
    "logits and mi by words": {"type": "mi", "feature": "tokens"},
}
BASE = """
metric: accuracy
data: {splits: {validation: null, test: validation}}
teacher: {model: asset:mpnet, finetune: {epochs: 3, batch_size: 32, learning_rate: 3.0e-5}}
student: {model: asset:minilm-l6}
objective: {prediction: {type: kl, temperature: 4.0}}
training: {epochs: 5, learning_rate: 1.0e-4}
"""


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("runs/other-tokenizer"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in OBJECTIVES}
    for seed in range(arguments.seeds):
        for name, intermediate in OBJECTIVES.items():
            settings = {
                "training.seed": seed,
                "data.source": str(arguments.data / "glue" / "MRPC"),
                "objective.intermediate": intermediate,
            }
            changes = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
            out = arguments.out / name.replace(" ", "-") / str(seed)
            record = distill(Pipeline.from_text(BASE, name, changes), out, resume=True).record
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            metrics = record.metrics
            scores[name].append(
                {side: 100 * metrics[side]["test"]["accuracy"] for side in ("teacher", "student")}
                | {"f1": 100 * metrics["student"]["test"]["f1"], "seconds": record.cost["train_seconds"]}
            )
    print(table(scores))


def table(scores: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean over seeds (least to most), and the difference to logits alone, seed by seed."""
    alone = [score["student"] for score in scores["logits"]]
    lines = ["| objective | teacher | student | F1 | against logits alone | training, s |", "|---|---|---|---|---|---|"]
    for name, of_seeds in scores.items():
        teacher, student, f1, seconds = (
            [score[part] for score in of_seeds] for part in ("teacher", "student", "f1", "seconds")
        )
        gains = [score - base for score, base in zip(student, alone, strict=True)]
        lines.append(
            f"| {name} | {statistics.mean(teacher):.1f} | {statistics.mean(student):.1f} ({min(student):.1f} to "
            f"{max(student):.1f}) | {statistics.mean(f1):.1f} | {statistics.mean(gains):+.1f} ({min(gains):+.1f} to "
            f"{max(gains):+.1f}) | {statistics.median(seconds):.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
