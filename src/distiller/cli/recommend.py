"""`distiller recommend`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Changes, KnowledgeFolder


def recommend(
    data: Annotated[str, typer.Option(help="As `data.source` of a pipeline: a file, folder, hub id or asset:NAME.")],
    teacher: Annotated[str, typer.Option(help="As `teacher.model`: a folder, hub id or asset:NAME.")],
    student: Annotated[str, typer.Option(help="A model, or the teacher's layers that it keeps, e.g. 0,2,4.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder to leave the pipelines in; none: print alone."),
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, help="How many pipelines.")] = 5,
    folder: KnowledgeFolder = None,
    changes: Changes = None,
) -> None:
    """Recommend pipelines for a dataset by what is known of others: DIR/1.yaml and so on are for `distill` to run."""
    from rich.console import Console

    from distiller import report
    from distiller.files import check_folder
    from distiller.recommend import Recommender, base_of
    from distiller.recommend import knowledge as known

    if out is not None:
        check_folder(out)
    base = base_of(data, teacher, student, changes or [])
    recommender = Recommender().fit(known.read(folder))
    advice = recommender.advise(base, count)
    console = Console()
    console.print(report.advice_table(advice))
    for line in [*advice.lines(), known.said(recommender.known, folder)]:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if out is not None:
        advice.write(out)
        console.print(
            f"pipelines: {out / '1.yaml'} and so on; distiller distill runs them", soft_wrap=True, markup=False
        )
