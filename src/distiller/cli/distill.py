"""`distiller distill`."""

from distiller.cli.options import Changes, Out, PipelineFile, Resume


def distill(pipeline: PipelineFile, out: Out, changes: Changes = None, resume: Resume = False) -> None:
    """Distil a student: leaves DIR/student, DIR/run.json and DIR/report.html."""
    from rich.console import Console

    from distiller import report, training
    from distiller.pipeline import Pipeline

    result = training.distill(Pipeline.from_yaml(pipeline, changes), out, resume=resume)
    entries = [report.Entry("student", result.record)]
    report.write(entries, out / "report.html")
    Console().print(report.comparison(entries))
    Console().print(f"student: {result.student_path}\nreport: {out / 'report.html'}", soft_wrap=True)
