"""`distiller adapt-masked-lm`."""

from typing import Annotated

import typer

from distiller.cli.options import Changes, Out, PipelineFile


def adapt_masked_lm(
    pipeline: PipelineFile,
    out: Out,
    model: Annotated[str, typer.Option(help="The encoder: a folder, asset:NAME or hub id.")] = "asset:minilm-l6",
    steps: Annotated[int, typer.Option(min=1, help="How long: each step is 64 texts.")] = 800,
    changes: Changes = None,
) -> None:
    """Teach an encoder to say masked words, also those of a pipeline's texts: leaves DIR/masked-lm."""
    from distiller import training
    from distiller.files import check_folder
    from distiller.pipeline import Pipeline

    check_folder(out)
    made = training.adapt_masked_lm(Pipeline.from_yaml(pipeline, changes), model, steps, out)
    found = made.guesses
    shares = f"{found.first:.1%} guessed first, {found.among_five:.1%} among five"
    print(f"masked words of the validation texts: {shares}, {found.nats:.2f} nats each\nmasked-lm: {made.folder}")  # noqa: T201
