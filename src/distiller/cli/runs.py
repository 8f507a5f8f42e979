"""`distiller runs`: run records."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Out

runs = typer.Typer(
    help="Run records: those of Distiller's runs, and of runs that others measured.", no_args_is_help=True
)


@runs.command("import")
def import_runs(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING.yaml", help="How the table reads as run records.")],
    table: Annotated[Path, typer.Argument(metavar="TABLE.csv", help="One row a run: CSV, TSV, JSON lines or Parquet.")],
    out: Out,
) -> None:
    """Make a run record of each row of a table: leaves DIR/ID/run.json. Started again, it goes on."""
    from distiller.runs import import_table

    done = import_table(mapping, table, out)
    print(f"{done.written + done.kept} run records in {out}: {done.written} written, {done.kept} there already")  # noqa: T201
