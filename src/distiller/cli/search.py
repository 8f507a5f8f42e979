"""`distiller search`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from distiller.cli.options import Out


def search(
    file: Annotated[Path, typer.Argument(metavar="SEARCH.yaml", help="What to search.")],
    out: Out,
    trials: Annotated[int | None, typer.Option(help="How many trials, in place of what the file says.")] = None,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="Of training of all trials together.")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="For how long, e.g. 90s, 30m, 2h.")] = None,
    executor: Annotated[str | None, typer.Option(metavar="TYPE", help="Where trials run: local or ray.")] = None,
    workers: Annotated[int | None, typer.Option(help="How many trials run side by side.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Insist that the search is in --out already.")] = False,
) -> None:
    """Search many pipelines for the best: leaves DIR/best, DIR/runs and DIR/report.html. Started again, it goes on."""
    from rich.console import Console

    from distiller import report
    from distiller.schema import validated
    from distiller.search import SearchConfig, search

    config = SearchConfig.from_yaml(file)
    changes: dict[str, Any] = {"trials": trials, "timeout": timeout, "budget": budget}
    place = {"type": executor or config.executor.type, "workers": workers}
    if executor is not None or workers is not None:
        kept = config.executor.model_dump() if place["type"] == config.executor.type else {}
        changes["executor"] = {**kept, **{name: value for name, value in place.items() if value is not None}}
    given = {name: value for name, value in changes.items() if value is not None}
    config = validated(SearchConfig, {**config.model_dump(), **given}, "the command line")
    result = search(config, out, resume=resume)
    report.write_search(result.summary, out / "report.html")
    console = Console()
    console.print(report.search_table(result.summary))
    for line in report.search_sentences(result.summary):
        console.print(line, soft_wrap=True)
    if result.best_path is not None:
        console.print(f"student: {result.best_path / 'student'}", soft_wrap=True)
    console.print(f"report: {out / 'report.html'}", soft_wrap=True)
