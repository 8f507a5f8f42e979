"""`distiller demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to leave the results in.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Distil a student of questions (TREC), beside the same student trained on the labels alone.

    The labels are few, so an epoch of them is short: the student on labels alone is trained twice, once with the same
    number of epochs and once with the same number of steps.
    """
    from importlib.resources import files

    from rich.console import Console

    from distiller import report, training
    from distiller.pipeline import Pipeline

    text = files("distiller.cli").joinpath("demo.yaml").read_text(encoding="utf-8")
    labels_alone = ["objective={prediction: null, hard_label: {weight: 1.0}}", "data.unlabelled=null"]
    changes = {
        "distilled": [],
        "labels alone": labels_alone,
        "labels alone, as many steps": [*labels_alone, "training.epochs=51"],
    }
    entries = []
    for title, change in changes.items():
        pipeline = Pipeline.from_text(text, "demo.yaml", change)
        result = training.distill(pipeline, out / title.replace(",", "").replace(" ", "-"), resume=True)
        entries.append(report.Entry(title, result.record))
    report.write(entries, out / "report.html")
    Console().print(report.comparison(entries))
    Console().print(f"student: {out / 'distilled' / 'student'}\nreport: {out / 'report.html'}", soft_wrap=True)
