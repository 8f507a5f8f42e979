"""What the chosen student is worth once it is exported, beside its teacher."""

import shutil
from pathlib import Path
from typing import Any

from distiller import export
from distiller.errors import UserError
from distiller.export import FLOAT, INT8, ORIGINAL, Exported
from distiller.files import replaced_folder
from distiller.goal.goal import SURE, Goal
from distiller.goal.retention import Retention
from distiller.goal.size import Size
from distiller.pipeline import Pipeline

BEST, ONNX, TEACHER_ONNX = "best", "onnx", "teacher-onnx"


def outcome(size: Size, base: Pipeline, goal: Goal, out: Path, teacher: str) -> dict[str, Any]:
    """Export the best student of a size, and its teacher alike, and time both in all their forms.

    Leaves `out`/best, `out`/onnx, and `out`/teacher-onnx, if the teacher can be exported.

    Args:
        size: That was tried; a run of it has finished.
        base: Whose data is read.
        goal: What is wanted.
        out: The folder.
        teacher: Where the teacher is.

    Raises:
        UserError: If the student cannot be exported.
    """
    if size.pursued is None or size.pursued.run is None or size.pursued.retention is None:
        raise ValueError("no run of it has finished")
    with replaced_folder(out / BEST) as folder:
        for part in ("student", "pipeline.yaml", "run.json"):
            source = size.pursued.run / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)
    exported = _exported(str(out / BEST / "student"), out / ONNX, None)
    alike = _exported_teacher(teacher, out / TEACHER_ONNX, base)
    names = [teacher, str(out / BEST / "student"), str(out / ONNX), *([str(out / TEACHER_ONNX)] if alike else [])]
    timed = {one.name: one for one in export.bench(names, base)}
    form, kept, within = _form(exported, size.pursued.retention, goal, timed, out)
    metric = str(exported.subject.metric)
    score = (exported.forms[form].scores or {}).get(metric)
    before = (exported_scores(alike) or {}).get(metric)
    return {
        "student": size.name,
        "form": form,
        "met": within and kept.chance_of(goal.retain) >= SURE and size.sure(goal),
        "within": within,
        "retention": kept.describe(),
        "chance": kept.chance_of(goal.retain),
        "metric": metric,
        "test_score": score,
        "teacher_test_score": before,
        "test_retention": score / before if score is not None and before is not None and before > 0 else None,
        "size_mb": exported.forms[form].size_mb,
        "latency_ms": timed[str(out / ONNX / form)].latency["median_ms"],
        "teacher_size_mb": timed[teacher].size_mb,
        "teacher_latency_ms": timed[teacher].latency["median_ms"],
        "teacher_alike_latency_ms": _alike(alike, form, timed, out),
        "bench": [one.describe() for one in timed.values()],
    }


def exported_scores(alike: Exported | None) -> dict[str, float] | None:
    """Of the teacher itself, on test."""
    return None if alike is None else alike.forms[ORIGINAL].scores


def _form(
    student: Exported, found: Retention, goal: Goal, timed: dict[str, export.Benched], out: Path
) -> tuple[str, Retention, bool]:
    """Which file is to be used, what it keeps, and whether it is fast and small enough: int8 unless that costs it."""
    lost = 0.0 if student.quantised is None else student.quantised.loss
    rounded = Retention(tuple(value * (1 - lost) for value in found.values), found.error, found.degrees)
    forms = {form: kept for form, kept in ((INT8, rounded), (FLOAT, found)) if form in student.forms}

    def standing(form: str) -> tuple[bool, bool, bool]:
        within = goal.allows(timed[str(out / ONNX / form)].latency["median_ms"], student.forms[form].size_mb)
        sure = forms[form].chance_of(goal.retain) >= SURE
        return within and sure, within, form == INT8

    form = max(forms, key=standing)
    return form, forms[form], standing(form)[1]


def _alike(alike: Exported | None, form: str, timed: dict[str, export.Benched], out: Path) -> float | None:
    """Milliseconds of the teacher in the same form, or in float if it has no other; None if it has none."""
    if alike is None:
        return None
    file = form if form in alike.forms else FLOAT
    return float(timed[str(out / TEACHER_ONNX / file)].latency["median_ms"])


def _exported(model: str, folder: Path, pipeline: Pipeline | None) -> Exported:
    """What is exported takes the place of what an earlier call has exported once it is whole."""
    room = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(room, ignore_errors=True)
    exported = export.export(model, room, pipeline, int8=True)
    shutil.rmtree(folder, ignore_errors=True)
    room.rename(folder)
    return exported


def _exported_teacher(teacher: str, folder: Path, base: Pipeline) -> Exported | None:
    """None if it has no such form: it is for comparison alone."""
    try:
        return _exported(teacher, folder, base)
    except UserError:
        return None
