"""`distiller auto`."""

from typing import Annotated

import typer

from distiller.cli.options import Changes, KnowledgeFolder, Out


def auto(
    data: Annotated[str, typer.Option(help="As `data.source` of a pipeline: a file, folder, hub id or asset:NAME.")],
    teacher: Annotated[str, typer.Option(help="As `teacher.model`: a folder, hub id or asset:NAME.")],
    out: Out,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", help="A further teacher, for sizes that keep too little; may be repeated."),
    ] = None,
    retain: Annotated[float, typer.Option(help="The share of the teacher's score to keep.")] = 0.97,
    latency_ms: Annotated[float | None, typer.Option(help="For one text on this CPU, exported, at most.")] = None,
    size_mb: Annotated[float | None, typer.Option(help="Of the exported file, at most.")] = None,
    time: Annotated[str, typer.Option(metavar="TIME", help="It may take, e.g. 30m or 2h.")] = "2h",
    student: Annotated[
        list[str] | None,
        typer.Option(help="A model, or layers of the teacher, e.g. 0,2,4, that may be tried; may be repeated."),
    ] = None,
    assistants: Annotated[
        bool, typer.Option("--assistants", help="Let larger students teach those that keep too little.")
    ] = False,
    knowledge: KnowledgeFolder = None,
    changes: Changes = None,
) -> None:
    """Find and export the smallest student that keeps enough: DIR/onnx, DIR/best and DIR/report.html."""
    import json

    from rich.console import Console

    from distiller import goal, report
    from distiller.recommend import base_of
    from distiller.recommend import knowledge as known
    from distiller.schema import validated

    wanted = {"retain": retain, "latency_ms": latency_ms, "size_mb": size_mb, "time": time}
    asked = validated(goal.Goal, wanted, "auto")
    ensemble = [f"teacher.models={json.dumps([teacher, *others])}"] if others else []
    base = base_of(data, teacher, "0", [*ensemble, *(changes or [])])  # the student is what is looked for
    found = known.at_hand(knowledge)
    reached = goal.auto(base, asked, out, student or [], found, assistants=assistants)
    report.write_goal(reached.summary, out / "report.html")
    console = Console()
    console.print(report.goal_table(reached.summary))
    for sentence in reached.summary["sentences"]:
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
    if reached.onnx is not None:
        console.print(f"exported: {reached.onnx}", soft_wrap=True, markup=False)
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, markup=False)
