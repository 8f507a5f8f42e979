"""`distiller adapt-masked-lm`."""

from typing import Annotated, Any

import typer

from distiller.cli.options import Changes, Out, PipelineFile


def adapt_masked_lm(
    pipeline: PipelineFile,
    out: Out,
    model: Annotated[str | None, typer.Option(help="The encoder: a folder, asset:NAME or hub id.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How long: each step is 64 texts.")] = None,
    changes: Changes = None,
) -> None:
    """Teach an encoder to say masked words, also those of a pipeline's texts: leaves DIR/masked-lm."""
    from distiller import training
    from distiller.files import check_folder
    from distiller.pipeline import Pipeline

    check_folder(out)
    given: dict[str, Any] = {"base": model, "steps": steps}
    chosen = {name: value for name, value in given.items() if value is not None}
    made = training.adapt_masked_lm(Pipeline.from_yaml(pipeline, changes), out, **chosen)
    found = made.guesses
    shares = f"{found.first:.1%} guessed first, {found.among_five:.1%} among five" if found else "there are none"
    print(f"masked words of the validation texts: {shares}\nmasked-lm: {made.folder}")  # noqa: T201
