"""Arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

PipelineFile = Annotated[Path, typer.Argument(metavar="PIPELINE.yaml", help="The pipeline.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a field, e.g. training.epochs=5; may be repeated."),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to leave the results in.")]
DataOf = Annotated[
    Path | None,
    typer.Option(
        "--pipeline", metavar="PIPELINE.yaml", help="The pipeline whose data is used; else that of the run beside."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run that is in --out.")]
KnowledgeFolder = Annotated[
    Path | None,
    typer.Option(
        "--knowledge",
        metavar="DIR",
        help="Known runs; else those of the program, and in DISTILLER_KNOWLEDGE or the cache.",
    ),
]
