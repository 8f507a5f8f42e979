"""`distiller analyze`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Out


def analyze(
    runs: Annotated[list[Path], typer.Argument(metavar="RUNS…", help="Folders of run records, or tables of them.")],
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws that intervals are made from.")] = 0,
) -> None:
    """Say how much each choice mattered in many runs, and how sure that is: leaves DIR/report.html and the numbers."""
    from rich.console import Console

    from distiller import report
    from distiller.analysis import analyze
    from distiller.files import check_folder
    from distiller.runs import load

    check_folder(out)
    analysis = analyze(load(*runs), seed)
    analysis.write(out)
    report.write_analysis(analysis, out)
    console = Console()
    console.print(report.analysis_table(analysis))
    for line in [*analysis.sentences, *analysis.notes]:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, markup=False)
