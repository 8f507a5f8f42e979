"""`distiller export`."""

from typing import Annotated, Literal

import typer

from distiller.cli.options import Changes, DataOf, Out


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder, asset:NAME or hub id, e.g. DIR/student.")],
    out: Out,
    quantize: Annotated[
        Literal["int8", "none"], typer.Option(help="int8: also write a model with integers for weights.")
    ] = "none",
    opset: Annotated[int, typer.Option(help="The version of ONNX's operators.")] = 20,
    max_loss: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of the metric that int8 may cost, on validation.")
    ] = 0.01,
    pipeline: DataOf = None,
    changes: Changes = None,
) -> None:
    """Write a model as ONNX, with a script that needs neither torch nor transformers, and say what it is worth."""
    from rich.console import Console

    from distiller import export

    judged_on = export.pipeline_for([model], pipeline, changes)
    exported = export.export(model, out, judged_on, int8=quantize == "int8", opset=opset, max_loss=max_loss)
    console = Console()
    console.print(export.export_table(exported))
    for sentence in exported.sentences:
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
    console.print(f"exported: {out}", soft_wrap=True, markup=False)
