"""`distiller store`: what is kept of teachers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Changes, PipelineFile

store = typer.Typer(help="Teacher outputs, computed once and kept for all runs.", no_args_is_help=True)

Listing = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also list what is kept in DIR/store.json.")]


@store.command()
def ls(out: Listing = None) -> None:
    """List what is kept, the last used first."""
    from rich.console import Console

    from distiller import report
    from distiller.store import inventory

    Console().print(report.store_table(inventory.entries()))
    _write_listing(out)


@store.command()
def build(pipeline: PipelineFile, changes: Changes = None, out: Listing = None) -> None:
    """Compute and keep what a pipeline wants of its teacher, before any run."""
    from distiller import training
    from distiller.pipeline import Pipeline

    print(training.build_store(Pipeline.from_yaml(pipeline, changes)))  # noqa: T201
    _write_listing(out)


@store.command()
def verify(out: Listing = None) -> None:
    """Read everything that is kept; remove what is damaged, which is computed anew when it is needed."""
    from distiller.store import inventory

    entries, damaged = inventory.entries(), inventory.verify()
    for path in damaged:
        print(f"damaged: {path}")  # noqa: T201
    print(f"{len(damaged)} damaged of {sum(len(entry.texts) for entry in entries)} kinds of output")  # noqa: T201
    _write_listing(out, damaged)


@store.command()
def prune(
    unused_days: Annotated[float | None, typer.Option(help="Remove what no run used for so many days.")] = None,
    to_gb: Annotated[float | None, typer.Option(help="Then what was used longest ago, until the rest fits.")] = None,
    out: Listing = None,
) -> None:
    """Remove what is kept: by age, or until it fits."""
    from distiller.errors import UserError
    from distiller.store import inventory

    if unused_days is None and to_gb is None:
        raise UserError("store prune", "say what to remove: --unused-days DAYS, --to-gb GIGABYTES, or both")
    for entry in inventory.prune(unused_days, to_gb):
        print(f"removed {entry.bytes / 1e9:.3g} GB of {entry.about['model']} ({entry.folder.name})")  # noqa: T201
    _write_listing(out)


def _write_listing(out: Path | None, damaged: Sequence[Path] = ()) -> None:
    from distiller import report
    from distiller.store import inventory

    if out is not None:
        report.write_inventory(inventory.entries(), damaged, out)
