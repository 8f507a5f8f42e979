"""`distiller evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from distiller.cli.options import Changes


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder, asset:NAME or hub id.")],
    pipeline: Annotated[Path, typer.Argument(metavar="PIPELINE.yaml", help="The pipeline whose data is used.")],
    split: Annotated[Literal["validation", "test"], typer.Option(help="Which split.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write DIR/evaluation.json, and of answers the best."),
    ] = None,
    changes: Changes = None,
) -> None:
    """Every metric of a model on a split of a pipeline's data."""
    from rich.console import Console
    from rich.table import Table

    from distiller import training
    from distiller.files import check_folder, write_json
    from distiller.pipeline import Pipeline

    if out is not None:
        check_folder(out)
    found = training.evaluate(Pipeline.from_yaml(pipeline, changes), model, split)
    table = Table("metric", split)
    for name, score in found.scores.items():
        table.add_row(name, f"{score:.4f}")
    Console().print(table)
    if out is not None:
        for name, content in found.files.items():
            write_json(out / name, content)
        write_json(out / "evaluation.json", {"model": model, "split": split, "metrics": found.scores})
