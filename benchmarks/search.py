"""A search beside the same pipelines trained one after the other with a live teacher, as TextBrewer's users do.

24 points of the paper's space, drawn with one seed, on 1000 labelled questions of TREC; the teacher is MiniLM with 6
layers, fine-tuned before any clock runs; students have 3 layers. `search` is `distiller search` with halving and two
workers, its store empty at the start, all that it does counted. The others train each of the same 24 points to its end
with the teacher asked at every step, in float32: TextBrewer as its documentation shows it
(`contenders/textbrewer_pipeline.py` says what it has and has not of these pipelines; making augmented copies is not
counted), and Distiller's own loop, which pads next to nothing and has a fused optimizer. `--sample N` trains only so
many of them and multiplies; the best is then that of the sample.

    python benchmarks/search.py --out runs/search
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from distiller import Pipeline, SearchConfig, search, training
from distiller.assets import cache_folder

HERE = Path(__file__).resolve().parent
TRIALS, WORKERS = 24, 2
BASE = """
data: {source: asset:trec, limit: 1000, max_length: 64}
teacher: {model: asset:minilm-l6, finetune: {epochs: 5, learning_rate: 1.0e-4}}
student: {layers: [0, 2, 4]}
objective: {prediction: {type: ce, temperature: 4.0}}
training: {epochs: 6, learning_rate: 2.0e-4}
"""


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/search"))
    parser.add_argument("--sample", type=int, default=TRIALS, help="so many of the pipelines one by one")
    arguments = parser.parse_args()
    use_own_cache(arguments.out / "cache")
    base = Pipeline.from_text(BASE, "base")
    base.to_yaml(arguments.out / "base.yaml")
    teacher = arguments.out / "teacher"
    if not teacher.exists():
        training.finetune(base, arguments.out)  # and in the cache, where every run finds it
    ours = searched(arguments.out)
    others = {
        "TextBrewer, one by one": by_textbrewer(arguments.out, ours, arguments.sample),
        "Distiller's loop, one by one": one_by_one(arguments.out, ours, arguments.sample),
    }
    print(table(ours, others, arguments.sample))


def use_own_cache(folder: Path) -> None:
    """One of this benchmark's, so that its store is empty at the start; downloads are those that are there."""
    downloads = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("assets", "adapted"):
        if (downloads / part).exists() and not (folder / part).exists():
            (folder / part).symlink_to(downloads / part, target_is_directory=True)
    os.environ["DISTILLER_CACHE"] = str(folder.resolve())


def searched(out: Path) -> dict[str, Any]:
    """The whole search, and what it found."""
    file = out / "searched.json"
    if not file.exists():
        shutil.rmtree(out / "searched", ignore_errors=True)
        config = SearchConfig.model_validate(
            {
                "base": str(out / "base.yaml"),
                "space": "paper",
                "sampler": "random",
                "trials": TRIALS,
                "confirm": None,
                "executor": {"type": "local", "workers": WORKERS},
            }
        )
        began = time.perf_counter()
        summary = search(config, out / "searched").summary
        file.write_text(json.dumps({"seconds": time.perf_counter() - began, **summary}))
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def by_textbrewer(out: Path, ours: dict[str, Any], sample: int) -> list[dict[str, float]]:
    """Each of the same pipelines to its end, in a process of its own."""
    found = []
    for trial in ours["trials"][:sample]:
        file = out / "textbrewer" / f"{trial['trial']:04d}.json"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "contenders.textbrewer_pipeline", given(out, trial), file.resolve()]
            subprocess.run([*map(str, command)], cwd=HERE, check=True)
        found.append(json.loads(file.read_text()))
    return found


def given(out: Path, trial: dict[str, Any]) -> Path:
    """The file of the pipeline that a trial of the search was given."""
    return (out / "searched" / "runs" / f"{trial['trial']:04d}" / "given.yaml").resolve()


def one_by_one(out: Path, ours: dict[str, Any], sample: int) -> list[dict[str, float]]:
    """Each of the same pipelines to its end, with a live teacher in float32."""
    found = []
    for trial in ours["trials"][:sample]:
        name = f"{trial['trial']:04d}"
        file = out / "one-by-one" / f"{name}.json"
        if not file.exists():
            trained = Pipeline.from_yaml(given(out, trial))
            pipeline = trained.replace(
                store={"mode": "off", "dtype": "float32"},
                training={**trained.training.model_dump(), "precision": "float32"},
            )
            folder = out / "one-by-one" / name
            shutil.rmtree(folder, ignore_errors=True)
            began = time.perf_counter()
            record = training.advance(pipeline, folder, pipeline.training.epochs, timed=False)
            seconds = time.perf_counter() - began
            metric = record.metrics["primary"]
            best = max(entry[f"eval_{metric}"] for entry in record.metrics["history"] if f"eval_{metric}" in entry)
            retention = best / record.metrics["teacher"]["validation"][metric]
            file.write_text(json.dumps({"seconds": seconds, "retention": retention, "test": record.metrics["score"]}))
            shutil.rmtree(folder)
        found.append(json.loads(file.read_text()))
    return found


def table(ours: dict[str, Any], others: dict[str, list[dict[str, float]]], sample: int) -> str:
    """Markdown."""
    states = [trial["state"] for trial in ours["trials"]]
    shown = f"{sample} of {TRIALS}, multiplied" if sample < TRIALS else f"{TRIALS}"
    winner = ours["winner"]
    found = f"{winner['validation_retention']:.1%} | {winner['test_score']:.3f}"
    lines = [
        "| | trials | seconds | times as long | best on validation (of the teacher) | its accuracy on test |",
        "|---|---|---|---|---|---|",
        f"| search | {states.count('complete')} of {len(states)} finished | {ours['seconds']:.0f} | 1.0 | {found} |",
    ]
    for name, runs in others.items():
        best = max(runs, key=lambda run: run["retention"])
        seconds = sum(run["seconds"] for run in runs) * TRIALS / len(runs)
        times = seconds / ours["seconds"]
        lines.append(
            f"| {name} | {shown} | {seconds:.0f} | {times:.1f} | {best['retention']:.1%} | {best['test']:.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
