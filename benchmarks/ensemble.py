"""Several teachers in place of one: what averaging or weighing them is worth to a student.

The teachers are MiniLM (6 layers, 384 wide), fine-tuned on 1000 labelled TREC questions with seeds 0, 1 and 2; the
student has three of the layers, and learns from logits. One teacher (seed 0) is compared with
all three, averaged and weighed by example. A seed is that of the student; all have the same data. Finished runs are
reused.

    python benchmarks/ensemble.py --out runs/ensemble --seeds 3
"""

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from distiller import Pipeline, distill

TEACHER = "asset:minilm-l6"
TEACHERS: dict[str, dict[str, Any]] = {
    "one teacher": {"teacher.models": [TEACHER]},
    "three, mean": {"teacher.models": [TEACHER] * 3},
    "three, per-example": {"teacher.models": [TEACHER] * 3, "teacher.weighting": "per-example"},
}
BASE = """
data: {source: asset:trec, limit: 1000, max_length: 64}
teacher: {finetune: {epochs: 6, learning_rate: 1.0e-4}}
student: {layers: [0, 2, 4]}
objective: {prediction: {type: kl, temperature: 2.0}}
training: {epochs: 6, learning_rate: 2.0e-4}
"""


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/ensemble"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in TEACHERS}
    for seed in range(arguments.seeds):
        for name, teachers in TEACHERS.items():
            changes = [f"{key}={json.dumps(value)}" for key, value in {**teachers, "training.seed": seed}.items()]
            out = arguments.out / name.replace(", ", "-").replace(" ", "-") / str(seed)
            record = distill(Pipeline.from_text(BASE, name, changes), out, resume=True).record
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            scores[name].append(
                {side: 100 * record.metrics[side]["test"]["accuracy"] for side in ("teacher", "student")}
                | {"parameters": record.teacher["parameters"] / 1e6}
            )
    print(table(scores))


def table(scores: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean over seeds (least to most), and the difference to one teacher, seed by seed."""
    alone = [score["student"] for score in scores["one teacher"]]
    lines = ["| teachers | parameters, M | their test accuracy | student's | against one teacher |"]
    lines += ["|---|---|---|---|---|"]
    for name, of_seeds in scores.items():
        student = [score["student"] for score in of_seeds]
        gains = [score - base for score, base in zip(student, alone, strict=True)]
        teacher = statistics.mean(score["teacher"] for score in of_seeds)
        lines.append(
            f"| {name} | {of_seeds[0]['parameters']:.0f} | {teacher:.1f} | {statistics.mean(student):.1f} "
            f"({min(student):.1f} to {max(student):.1f}) | {statistics.mean(gains):+.1f} ({min(gains):+.1f} to "
            f"{max(gains):+.1f}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
