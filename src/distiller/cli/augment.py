"""`distiller augment`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Changes, PipelineFile


def augment(
    pipeline: PipelineFile,
    show: Annotated[int, typer.Option(min=1, help="How many texts.")] = 20,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also write DIR/augmentation.json.")] = None,
    changes: Changes = None,
) -> None:
    """What the steps of a pipeline make of its texts, and what the teacher says of them before and after."""
    from rich.console import Console

    from distiller import report, training
    from distiller.files import check_folder
    from distiller.pipeline import Pipeline

    if out is not None:
        check_folder(out)
    texts = training.preview(Pipeline.from_yaml(pipeline, changes), show)
    Console().print(report.augmentation_table(texts))
    if out is not None:
        report.write_augmentation(texts, out)
