"""`distiller recommend`."""

from typing import Annotated

import typer

from distiller.cli.options import Changes, KnowledgeFolder, Out


def recommend(
    data: Annotated[str, typer.Option(help="As `data.source` of a pipeline: a file, folder, hub id or asset:NAME.")],
    teacher: Annotated[str, typer.Option(help="As `teacher.model`: a folder, hub id or asset:NAME.")],
    student: Annotated[str, typer.Option(help="A model, or the teacher's layers that it keeps, e.g. 0,2,4.")],
    out: Out,
    count: Annotated[int, typer.Option("-n", min=1, help="How many pipelines.")] = 5,
    folder: KnowledgeFolder = None,
    changes: Changes = None,
) -> None:
    """Recommend pipelines for a dataset by what is known of others: leaves DIR/1.yaml, …, for `distill` to run."""
    from rich.console import Console

    from distiller import report
    from distiller.files import check_folder
    from distiller.recommend import Recommender, base_of
    from distiller.recommend import knowledge as known

    check_folder(out)
    base = base_of(data, teacher, student, changes or [])
    recommender = Recommender().fit(known.read(folder or known.knowledge_folder()))
    advice = recommender.advise(base, count)
    advice.write(out)
    console = Console()
    console.print(report.advice_table(advice))
    for line in advice.lines():
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"pipelines: {out / '1.yaml'} and so on; distiller distill runs them", soft_wrap=True, markup=False)
