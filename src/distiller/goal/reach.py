"""The whole way: teacher, sizes, pipelines, the student that is chosen, and what it is worth."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from distiller import export, models, tasks, training
from distiller.errors import UserError
from distiller.export import Foreseen
from distiller.files import check_folder, write_json, write_text
from distiller.goal.goal import SURE, Goal
from distiller.goal.outcome import ONNX, outcome
from distiller.goal.pipelines import settled
from distiller.goal.pursuit import Judge
from distiller.goal.sentences import sentences
from distiller.goal.size import Pursuer, Size
from distiller.goal.sizes import sizes
from distiller.models import StudentConfig
from distiller.pipeline import Pipeline
from distiller.schema import validated

GIVEN, SUMMARY, FORESEEN = "goal.yaml", "auto.json", "foreseen.json"
TEACHER = "teacher"
EXPORT_SHARE = 0.1
"""Of the time, for export and for measuring what was exported."""


@dataclass(frozen=True)
class Reached:
    """What was found.

    Attributes:
        summary: As in auto.json: the goal and whether it is met, the student that was chosen, and the front.
        onnx: The folder with the exported student; None if no student came of it.
    """

    summary: dict[str, Any]
    onnx: Path | None


def auto(
    base: Pipeline,
    goal: Goal,
    out: str | Path,
    students: Sequence[str] = (),
    knowledge: Path | None = None,
    *,
    assistants: bool = False,
) -> Reached:
    """Find the smallest student of a teacher that keeps as much of it as is wanted, and export it.

    Sizes are halved between: from the one in the middle to smaller ones as long as enough is kept, else to larger ones.
    Each is searched for a pipeline, by validation alone. The same call goes on where an earlier one was stopped; its
    time counts anew.

    Leaves `out`/best (student, pipeline and record), `out`/onnx (the exported student), `out`/teacher-onnx (the
    teacher, exported alike, for comparison), `out`/auto.json, and each search in `out`/sizes.

    Args:
        base: Data and teacher; what else it says is the same for all students. Of several teachers the first is the one
            that students are held against; all of them teach a size where that alone does not keep enough, in as much
            time, in which further ones are fine-tuned too; the better of both counts.
        goal: What is wanted.
        out: A folder that does not exist, is empty, or belongs to this call.
        students: What may be tried, as `sizes` reads it; none: evenly spaced layers of the teacher.
        knowledge: Known runs that say where to begin; None if there are none.
        assistants: Whether a student that does not keep enough is also taught by the smallest larger one that does, in
            as much time (Mirzadeh et al. 2020, "Improved Knowledge Distillation via Teacher Assistant"); the better
            of both counts.

    Raises:
        UserError: If the data or the teacher is not usable, `out` belongs to something else, or no student of any size
            can be as fast and as small as is wanted.
    """
    out, deadline = Path(out).resolve(), time.monotonic() + goal.time * (1 - EXPORT_SHARE)
    export.check_packages()
    knowledge = _same_call(out, base, students, knowledge)
    given = _given(base, students, knowledge)
    task = tasks.build(base.task)
    teacher_config = models.load_config(base.teacher.model, base.teacher.places[0], task.head_kind)
    configs = sizes(teacher_config, task.head_kind, students)
    said, base = settled(base), base.replace(student=[*configs.values()][-1].model_dump())
    for student in configs.values():
        training.check(base.replace(student=student.model_dump()))
    ensemble = base.teacher if len(base.teacher.members) > 1 else None
    base = base.replace(teacher={"model": base.teacher.model, "finetune": base.model_dump()["teacher"]["finetune"]})
    foreseen = _foreseen(base, configs, out)
    every = {name: Size(name, each, foreseen[name]) for name, each in configs.items()}
    allowed = [size for size in every.values() if size.allowed(goal)]
    if not allowed:
        raise UserError("auto", _out_of_reach(goal, [*every.values()]))
    write_text(out / GIVEN, given)
    (out / "sizes").mkdir(exist_ok=True)
    teacher = _teacher(base, out)
    pursuer = Pursuer(base, goal, out, Judge.of(base, teacher), said, knowledge, ensemble)
    for size in _halved(allowed, pursuer, deadline, assistants=assistants):
        every[size.name] = size
    return _conclude(base, goal, out, teacher, [*every.values()], foreseen[TEACHER])


def _halved(allowed: Sequence[Size], pursuer: Pursuer, deadline: float, *, assistants: bool) -> list[Size]:
    """The sizes that were tried, as they came out."""
    tried: list[Size] = []
    low, high, assistant = 0, len(allowed), None
    while low < high:
        middle = (low + high) // 2
        Console(stderr=True).print(f"a student of {allowed[middle].name}:", highlight=False)
        left = max(deadline - time.monotonic(), 0.0) / (high - low).bit_length()
        tried.append(pursuer.pursued(allowed[middle], left, assistant if assistants else None))
        if tried[-1].sure(pursuer.goal):
            high, assistant = middle, tried[-1]
        else:
            low = middle + 1
        if time.monotonic() >= deadline:
            break
    return tried


def _conclude(
    base: Pipeline, goal: Goal, out: Path, teacher: str, every: list[Size], original: dict[str, Foreseen]
) -> Reached:
    summary: dict[str, Any] = {
        "goal": goal.model_dump(),
        "sure": SURE,
        "teacher": {form: each.describe() for form, each in original.items()},
        "front": [size.describe(goal) for size in every],
        "chosen": None,
        "met": False,
    }
    write_json(out / SUMMARY, {**summary, "sentences": sentences(summary)})  # in case that export fails
    for size in _candidates(every, goal):
        summary["chosen"] = outcome(size, base, goal, out, teacher)
        summary["met"] = bool(summary["chosen"]["met"])
        if summary["met"]:
            break
    summary["sentences"] = sentences(summary)
    write_json(out / SUMMARY, summary)
    return Reached(summary, out / ONNX if summary["chosen"] is not None else None)


def _candidates(every: Sequence[Size], goal: Goal) -> list[Size]:
    """Those that are sure to keep enough, the smallest first: exported it may not; else the one that keeps most."""
    sure = [size for size in every if size.sure(goal)]
    tried = [size for size in every if size.pursued is not None and size.pursued.retention is not None]
    return sure or sorted(tried, key=lambda size: size.pursued.standing(goal) if size.pursued else (False, 0.0))[-1:]


def _teacher(base: Pipeline, out: Path) -> str:
    """Where the fine-tuned teacher is."""
    if base.teacher.finetune is None:
        return base.teacher.model
    folder = out / TEACHER
    return str(folder if folder.is_dir() else training.finetune(base, out))


def _foreseen(base: Pipeline, configs: dict[str, StudentConfig], out: Path) -> dict[str, dict[str, Foreseen]]:
    """What was measured when the call began: measured again it might decide otherwise."""
    if not (out / FORESEEN).exists():
        found = export.foresee(base, configs)
        content = {name: {form: each.describe() for form, each in forms.items()} for name, forms in found.items()}
        write_json(out / FORESEEN, content)
    kept = json.loads((out / FORESEEN).read_text(encoding="utf-8"))
    return {name: {form: Foreseen(**each) for form, each in forms.items()} for name, forms in kept.items()}


def _out_of_reach(goal: Goal, every: Sequence[Size]) -> str:
    """What the fastest and the smallest come to."""
    forms = [(each.latency["median_ms"], each.size_mb, size.name) for size in every for each in size.forms.values()]
    fastest, smallest = min(forms), min(forms, key=lambda form: form[1])
    said = []
    if goal.latency_ms is not None:
        said.append(f"--latency-ms {goal.latency_ms:g}: the fastest student ({fastest[2]}) takes {fastest[0]:.2f} ms")
    if goal.size_mb is not None:
        said.append(f"--size-mb {goal.size_mb:g}: the smallest ({smallest[2]}) takes {smallest[1]:.1f} MB")
    return f"no student is within {'; '.join(said)}; ask for more, or name smaller models with --student"


def _same_call(out: Path, base: Pipeline, students: Sequence[str], knowledge: Path | None) -> Path | None:
    """Refuse a folder of something else; gives the known runs that a call began with, which goes on with them."""
    check_folder(out)
    if not (out / GIVEN).exists():
        inside = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
        if {*inside} - {FORESEEN}:
            raise UserError(str(out), f"holds no {GIVEN} to go on with; name another --out")
        return knowledge
    before = yaml.safe_load((out / GIVEN).read_text(encoding="utf-8"))
    now = yaml.safe_load(_given(base, students, knowledge))
    before["base"] = validated(Pipeline, before["base"], str(out / GIVEN)).model_dump()  # with fields that are new
    for field in ("base", "students"):
        if before[field] != now[field]:
            raise UserError(str(out / GIVEN), f"is of another call: {field} differs; name another --out")
    return None if before["knowledge"] is None else Path(before["knowledge"])


def _given(base: Pipeline, students: Sequence[str], knowledge: Path | None) -> str:
    content = {
        "students": [*students],
        "knowledge": None if knowledge is None else str(knowledge),
        "base": base.model_dump(),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
