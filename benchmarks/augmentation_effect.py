"""Does augmentation help where labels are few? 500 labelled questions of TREC, a student of 2 layers, several seeds.

Each policy makes 4 copies of each question, which the teacher (MiniLM, 6 layers, fine-tuned on the 500) labels; a
student of its layers 0 and 3 learns from questions and copies. Beside it: no copies with as many epochs, and with as
many steps. Finished runs are reused, so that the script can be stopped and started again.

    python benchmarks/augmentation_effect.py --out runs/effect --seeds 5
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from distiller import Pipeline, distill

COPIES, EPOCHS = 4, 6
SYNONYM = {"type": "synonym", "p": 0.3}
DELETE = {"type": "random", "action": "delete", "p": 0.1}
SWAP = {"type": "random", "action": "swap", "p": 0.1}
CROP = {"type": "random", "action": "crop", "p": 0.1}
SPELLING = {"type": "spelling", "p": 0.1}
TRANSLATION = {"type": "back_translation"}


def policies(model: str | None) -> dict[str, dict[str, Any]]:
    """What is changed in the pipeline, by name."""
    contextual = {"type": "contextual", "model": model, "p": 0.3}
    steps: dict[str, list[dict[str, Any]]] = {
        "contextual": [contextual],
        "random delete": [DELETE],
        "random swap": [SWAP],
        "random crop": [CROP],
        "synonym": [SYNONYM],
        "spelling": [SPELLING],
        "back-translation, then random delete": [TRANSLATION, DELETE],
        "back-translation, then contextual": [TRANSLATION, contextual],
        "synonym, then random delete": [SYNONYM, DELETE],
        "contextual, then random delete": [contextual, DELETE],
    }
    return {
        "no copies": {},
        "no copies, as many steps": {"training.epochs": EPOCHS * (COPIES + 1)},
        "mixup": {"augmentation.mixup": {"beta": 0.4}},
        "mixup, as many steps": {
            "augmentation.mixup": {"beta": 0.4},
            "training.epochs": EPOCHS * (COPIES + 1),
        },
        **{name: {"augmentation.steps": of_one, "augmentation.copies": COPIES} for name, of_one in steps.items()},
    }


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/effect"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--model", help="A masked language model; that of `contextual` if none is named.")
    parser.add_argument("--only", nargs="*", help="Some of the policies, by name.")
    arguments = parser.parse_args()
    chosen = {
        name: changes
        for name, changes in policies(arguments.model).items()
        if arguments.only is None or name in (*arguments.only, "no copies")
    }
    rows = []
    for seed in range(arguments.seeds):
        for name, changes in chosen.items():
            out = arguments.out / name.replace(",", "").replace(" ", "-") / str(seed)
            record = distill(_pipeline(changes, seed), out, resume=True).record
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            rows.append(
                {"policy": name, "accuracy": 100 * record.metrics["score"], "seconds": record.cost["train_seconds"]}
            )
    print(_table(pd.DataFrame(rows)))


def _pipeline(changes: dict[str, Any], seed: int) -> Pipeline:
    text = """
data: {source: asset:trec, limit: 500, max_length: 64}
teacher: {model: asset:minilm-l6, finetune: {epochs: 10, batch_size: 16, learning_rate: 1.0e-4}}
student: {layers: [0, 3]}
objective: {prediction: {type: kl, temperature: 4.0}}
"""
    settings = {"seed": seed, "training.epochs": EPOCHS, "training.learning_rate": 2e-4, **changes}
    return Pipeline.from_text(text, "effect", [f"{key}={json.dumps(value)}" for key, value in settings.items()])


def _table(frame: pd.DataFrame) -> str:
    """Markdown: mean, least and most over the seeds; the gains over no copies, seed by seed; the best first."""
    accuracy = frame.pivot_table(index="policy", values="accuracy", columns=frame.groupby("policy").cumcount())
    plain = [name for name in ("no copies", "no copies, as many steps") if name in accuracy.index]
    gains = [accuracy - accuracy.loc[name] for name in plain]
    titles = ["policy", "accuracy", *(f"over {name}" for name in plain), "training, seconds"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for policy in accuracy.mean(axis=1).sort_values(ascending=False).index:
        of_one = accuracy.loc[policy]
        shown = f"{of_one.mean():.1f} ({of_one.min():.1f} to {of_one.max():.1f})"
        more = [gain.loc[policy] for gain in gains]
        over = [f"{one.mean():+.1f} ({one.min():+.1f} to {one.max():+.1f})" for one in more]
        seconds = frame.loc[frame["policy"] == policy, "seconds"].median()
        lines.append(f"| {' | '.join([policy, shown, *over, f'{seconds:.0f}'])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
