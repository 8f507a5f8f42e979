"""Where distillation pays, measured on TREC questions: `make bench`.

The demo's student in three situations, each distilled (by `kl` on predictions alone) and on the labels alone, over
several seeds. The split and the weights that are drawn follow the seed. Finished runs are reused, so that the script
can be stopped and started again.
"""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from distiller import Pipeline, distill, runs

DEMO = Path(__file__).resolve().parent.parent / "src" / "distiller" / "cli" / "demo.yaml"
LABELS_ALONE = ["objective={prediction: null, hard_label: {weight: 1.0}}"]
ALL_LABELS = [
    "data.limit=null",
    "data.unlabelled=null",
    "teacher.finetune.epochs=4",
    "teacher.finetune.batch_size=32",
]
SITUATIONS: dict[str, dict[str, list[str]]] = {
    "500 labels, the other questions unlabelled": {
        "labels alone": [*LABELS_ALONE, "data.unlabelled=null"],
        "labels alone, as many steps": [*LABELS_ALONE, "data.unlabelled=null", "training.epochs=51"],
        "distilled": [],
    },
    "500 labels, no other questions": {
        "distilled": ["data.unlabelled=null"],
        "distilled, as many steps": ["data.unlabelled=null", "training.epochs=51"],
    },
    "all labels": {
        "labels alone": [*ALL_LABELS, *LABELS_ALONE],
        "distilled": ALL_LABELS,
    },
}


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/where-it-pays"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for situation, students in SITUATIONS.items():
            for student, changes in students.items():
                pipeline = Pipeline.from_yaml(DEMO, [*changes, f"seed={seed}"])
                out = arguments.out / _folder(situation) / _folder(student) / str(seed)
                record = distill(pipeline, out, resume=True).record
                shutil.rmtree(out / "checkpoints", ignore_errors=True)
                rows.append(_row(situation, student, record))
    print(_table(pd.DataFrame(rows)))


def _folder(title: str) -> str:
    return title.replace(",", "").replace(" ", "-")


def _row(situation: str, student: str, record: runs.RunRecord) -> dict[str, object]:
    scores = {name: record.metrics[name]["test"][record.metrics["primary"]] for name in ("teacher", "student")}
    return {"situation": situation, "setting": student, **{name: 100 * score for name, score in scores.items()}}


def _table(frame: pd.DataFrame) -> str:
    """Markdown: mean, least and most over the seeds, in points of accuracy on test."""
    grouped = frame.groupby(["situation", "setting"], sort=False)
    lines = ["| situation | student | accuracy | its teacher |", "|---|---|---|---|"]
    for (situation, setting), group in grouped:
        own, teacher = (_spread(group[name]) for name in ("student", "teacher"))
        lines.append(f"| {situation} | {setting} | {own} | {teacher} |")
    return "\n".join(lines)


def _spread(scores: "pd.Series[float]") -> str:
    return f"{scores.mean():.1f} ({scores.min():.1f} to {scores.max():.1f})"


if __name__ == "__main__":
    main()
