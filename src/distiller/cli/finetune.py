"""`distiller finetune`."""

from distiller.cli.options import Changes, Out, PipelineFile


def finetune(pipeline: PipelineFile, out: Out, changes: Changes = None) -> None:
    """Fine-tune the teacher alone: leaves DIR/teacher."""
    from distiller import training
    from distiller.pipeline import Pipeline

    given = Pipeline.from_yaml(pipeline, changes)
    folder = training.finetune(given, out)
    scores = training.evaluate(given, str(folder), "validation").scores
    shown = ", ".join(f"{name} {score:.4f}" for name, score in scores.items())
    print(f"validation: {shown}\nteacher: {folder}")  # noqa: T201
