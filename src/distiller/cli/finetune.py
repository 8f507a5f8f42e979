"""`distiller finetune`."""

from distiller.cli.options import Changes, Out, PipelineFile


def finetune(pipeline: PipelineFile, out: Out, changes: Changes = None) -> None:
    """Fine-tune the teacher alone: leaves DIR/teacher."""
    from distiller import training
    from distiller.pipeline import Pipeline

    folder = training.finetune(Pipeline.from_yaml(pipeline, changes), out)
    print(f"teacher: {folder}")  # noqa: T201
