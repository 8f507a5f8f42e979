"""`distiller bench`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Changes, DataOf


def bench(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Folders, asset:NAME or hub ids; of an exported folder every ONNX file."),
    ],
    pipeline: DataOf = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of each model; as many as torch uses.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also write DIR/bench.json.")] = None,
    changes: Changes = None,
) -> None:
    """Time models side by side on the texts that they are for."""
    from rich.console import Console

    from distiller import export
    from distiller.files import check_folder, write_json

    if out is not None:
        check_folder(out)
    benched = export.bench(models, export.pipeline_for(models, pipeline, changes), threads)
    Console().print(export.bench_table(benched))
    if out is not None:
        write_json(out / "bench.json", [one.describe() for one in benched])
