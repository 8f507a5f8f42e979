"""`distiller knowledge`: the runs that recommendations are made from."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import KnowledgeFolder

knowledge = typer.Typer(help="Known runs, from which `recommend` learns.", no_args_is_help=True)


@knowledge.command()
def ls(folder: KnowledgeFolder = None) -> None:
    """List what is known, by dataset."""
    from rich.console import Console

    from distiller import report
    from distiller.recommend import knowledge as known

    console = Console()
    console.print(report.knowledge_table(known.listing(known.read(folder))))
    for place in known.places(folder):
        console.print(f"in {place}", soft_wrap=True, markup=False, highlight=False)


@knowledge.command()
def add(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUNS…", help="Folders of run records, tables of them, or knowledge folders."),
    ],
    folder: KnowledgeFolder = None,
) -> None:
    """Add runs: the next recommendation learns from them too."""
    from distiller.recommend import knowledge as known

    place = folder or known.knowledge_folder()
    print(f"{known.add(runs, place)} runs added to {place}")  # noqa: T201


@knowledge.command()
def stats(folder: KnowledgeFolder = None) -> None:
    """Say how good recommendations are on known datasets, each left out in turn."""
    from rich.console import Console

    from distiller import report
    from distiller.recommend import Recommender
    from distiller.recommend import knowledge as known

    recommender = Recommender().fit(known.read(folder))
    console = Console()
    console.print(report.left_out_table(recommender))
    for note in recommender.notes:
        console.print(note, soft_wrap=True, markup=False, highlight=False)
