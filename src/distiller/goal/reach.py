"""The whole way: teacher, sizes, pipelines, the student that is chosen, and what it is worth."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from distiller import export, models, tasks, training
from distiller.errors import UserError
from distiller.export import FLOAT, INT8, ORIGINAL, Foreseen
from distiller.files import check_folder, replaced_folder, write_json, write_text
from distiller.goal.goal import SURE, Goal
from distiller.goal.pursuit import Judge, Pursued, pursue
from distiller.goal.sentences import sentences
from distiller.goal.sizes import sizes, spaced
from distiller.models import StudentConfig
from distiller.pipeline import Pipeline
from distiller.runs import RunRecord

GIVEN, SUMMARY, BEST, ONNX, TEACHER_ONNX = "goal.yaml", "auto.json", "best", "onnx", "teacher-onnx"
SLACK = 0.95
"""A latency that is measured again may come out higher: what is foreseen has to be so much below the goal."""
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


@dataclass(frozen=True)
class Size:
    """A student of one size: what it takes, and what became of it if it was tried."""

    name: str
    config: StudentConfig
    forms: dict[str, Foreseen]
    pursued: Pursued | None = None

    def sure(self, goal: Goal) -> bool:
        return self.pursued is not None and self.pursued.sure(goal)

    def allowed(self, goal: Goal) -> bool:
        latency = {form: each.latency["median_ms"] / SLACK for form, each in self.forms.items()}
        return any(goal.allows(latency[form], each.size_mb) for form, each in self.forms.items())


@dataclass(frozen=True)
class Pursuer:
    """What is the same for all sizes."""

    base: Pipeline
    goal: Goal
    out: Path
    judge: Judge
    knowledge: Path | None

    def pursued(self, size: Size, seconds: float, assistant: Size | None) -> Size:
        """A size once it was tried, for so long; also with an assistant, if there is one and it is needed."""
        until, half = time.monotonic() + seconds, seconds if assistant is None else seconds / 2
        found = self._search(_folder(size.name), self.base, size.config, time.monotonic() + half, 1.0)
        if assistant is None or assistant.pursued is None or assistant.pursued.run is None or found.sure(self.goal):
            return replace(size, pursued=found)
        kept, config = assistant.pursued.retention, size.config
        if config.layers is not None and assistant.config.layers is not None:
            config = config.replace(layers=spaced(len(config.layers), len(assistant.config.layers)))
        base = self.base.replace(teacher={"model": str(assistant.pursued.run / training.STUDENT), "finetune": None})
        name = f"{_folder(size.name)}-taught-by-{_folder(assistant.name)}"
        helped = self._search(name, base, config, until, kept.value if kept is not None else 1.0)
        return replace(size, pursued=max((found, helped), key=lambda each: _chance(each, self.goal)))

    def _search(self, name: str, base: Pipeline, student: StudentConfig, until: float, kept: float) -> Pursued:
        folder, say = self.out / "sizes" / name, Console(stderr=True).print
        return pursue(
            base.replace(student=student.model_dump()),
            self.judge,
            self.goal,
            folder,
            until,
            self.knowledge,
            lambda told: say(f"  {told}", highlight=False, soft_wrap=True),
            kept,
        )


def _folder(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-").replace(":", "-")


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
    Each is searched for a pipeline, by validation alone; test is looked at when all is decided. The same call goes on
    where an earlier one was stopped.

    Leaves `out`/best (student, pipeline and record), `out`/onnx (the exported student), `out`/teacher-onnx (the
    teacher, exported alike, for comparison), `out`/auto.json, and each search in `out`/sizes.

    Args:
        base: Data and teacher, and what is to be the same for all students.
        goal: What is wanted.
        out: A folder that does not exist, is empty, or belongs to this call.
        students: What may be tried, as `sizes` reads it; none: evenly spaced layers of the teacher.
        knowledge: Known runs that say where to begin; None if there are none.
        assistants: Whether a student that does not keep enough is also taught by the smallest larger one that does, in
            half of its time (Mirzadeh et al. 2020, "Improved Knowledge Distillation via Teacher Assistant"); the better
            of both counts.

    Raises:
        UserError: If the data or the teacher is not usable, `out` belongs to something else, or no student of any size
            can be as fast and as small as is wanted.
    """
    out, deadline = Path(out).resolve(), time.monotonic() + goal.time * (1 - EXPORT_SHARE)
    say = Console(stderr=True).print
    _refuse_another(out, base, goal, students)
    task = tasks.build(base.task)
    config = models.load_config(base.teacher.model, "teacher.model", task.head_kind)
    configs = sizes(config, task.head_kind, students)
    for student in configs.values():
        training.check(base.replace(student=student.model_dump()))
    _begin(out, base, goal, students)
    teacher = _teacher(base, out)
    foreseen = export.foresee(base, teacher, configs)
    every = [Size(name, each, foreseen[name]) for name, each in configs.items()]
    allowed = [size for size in every if size.allowed(goal)]
    if not allowed:
        raise UserError("auto", _out_of_reach(goal, every))
    pursuer = Pursuer(base, goal, out, Judge.of(base, teacher), knowledge)
    tried: dict[str, Size] = {}
    low, high, assistant = 0, len(allowed), None
    while low < high:
        middle = (low + high) // 2
        size = allowed[middle]
        say(f"a student of {size.name}:", highlight=False)
        left = max(deadline - time.monotonic(), 0.0) / (high - low).bit_length()
        size = pursuer.pursued(size, left, assistant if assistants else None)
        tried[size.name] = size
        if size.sure(goal):
            high, assistant = middle, size
        else:
            low = middle + 1
        if time.monotonic() >= deadline:
            break
    return _conclude(base, goal, out, teacher, [tried.get(size.name, size) for size in every], foreseen["teacher"])


def _teacher(base: Pipeline, out: Path) -> str:
    """Where the fine-tuned teacher is."""
    if base.teacher.finetune is None:
        return base.teacher.model
    folder = out / "teacher"
    return str(folder if folder.is_dir() else training.finetune(base, out))


def _conclude(
    base: Pipeline, goal: Goal, out: Path, teacher: str, every: list[Size], original: dict[str, Foreseen]
) -> Reached:
    summary: dict[str, Any] = {
        "goal": goal.model_dump(),
        "sure": SURE,
        "teacher": {form: each.describe() for form, each in original.items()},
        "front": [_described(size, goal) for size in every],
        "chosen": None,
        "met": False,
    }
    chosen = _chosen(every, goal)
    if chosen is None or chosen.pursued is None or chosen.pursued.run is None:
        summary["sentences"] = sentences(summary)
        write_json(out / SUMMARY, summary)
        return Reached(summary, None)
    with replaced_folder(out / BEST) as folder:
        for part in ("student", "pipeline.yaml", "run.json"):
            source = chosen.pursued.run / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)
    exported = _exported(str(out / BEST / "student"), out / ONNX, None)
    exported_teacher = _exported(teacher, out / TEACHER_ONNX, base)
    names = [teacher, str(out / TEACHER_ONNX), str(out / BEST / "student"), str(out / ONNX)]
    timed = {one.name: one for one in export.bench(names, base)}
    summary["chosen"] = _worth(chosen, goal, out, exported, exported_teacher, timed, teacher)
    summary["met"] = bool(summary["chosen"]["met"])
    summary["bench"] = [one.describe() for one in timed.values()]
    summary["sentences"] = sentences(summary)
    write_json(out / SUMMARY, summary)
    return Reached(summary, out / ONNX)


def _chosen(every: Sequence[Size], goal: Goal) -> Size | None:
    """The smallest that is sure to keep enough; else the one with the best chance; None if no run has finished."""
    for size in every:
        if size.sure(goal):
            return size
    tried = [size for size in every if size.pursued is not None and size.pursued.retention is not None]
    return max(tried, key=lambda size: _chance(size.pursued, goal), default=None)


def _chance(pursued: Pursued | None, goal: Goal) -> float:
    if pursued is None or pursued.retention is None:
        return -1.0
    return pursued.retention.chance_of(goal.retain)


def _exported(model: str, folder: Path, pipeline: Pipeline | None) -> export.Exported:
    if folder.exists():  # of an earlier call
        shutil.rmtree(folder)
    return export.export(model, folder, pipeline, int8=True)


def _worth(
    chosen: Size,
    goal: Goal,
    out: Path,
    student: export.Exported,
    teacher: export.Exported,
    timed: dict[str, export.Benched],
    name: str,
) -> dict[str, Any]:
    """What the chosen student is in the form that is to be used, beside its teacher."""
    if chosen.pursued is None or chosen.pursued.retention is None or student.subject.metric is None:
        raise ValueError("nothing was tried")
    metric, found = student.subject.metric, chosen.pursued.retention
    forms = [form for form in (INT8, FLOAT) if form in student.forms]
    milliseconds = {form: timed[str(out / ONNX / form)].latency["median_ms"] for form in forms}
    within = [form for form in forms if goal.allows(milliseconds[form], student.forms[form].size_mb)]
    form = (within or forms)[0]
    lost = student.quantised.loss if form == INT8 and student.quantised is not None else 0.0
    kept = replace(found, value=found.value * (1 - lost))
    chance = kept.chance_of(goal.retain)
    if form == INT8 and chance < SURE <= found.chance_of(goal.retain) and FLOAT in within:
        form, kept, chance = FLOAT, found, found.chance_of(goal.retain)
    scores = {part: of_one.forms[form].scores or {} for part, of_one in (("student", student), ("teacher", teacher))}
    alike = form if form in teacher.forms else FLOAT
    original = teacher.forms[ORIGINAL].scores or {}
    record = RunRecord.read(out / BEST)
    return {
        "student": chosen.name,
        "form": form,
        "met": bool(form in within and chance >= SURE),
        "within": form in within,
        "retention": kept.describe(),
        "chance": chance,
        "metric": metric,
        "test_score": scores["student"].get(metric),
        "teacher_test_score": original.get(metric),
        "test_retention": _ratio(scores["student"].get(metric), original.get(metric)),
        "size_mb": student.forms[form].size_mb,
        "latency_ms": milliseconds[form],
        "teacher_size_mb": teacher.forms[ORIGINAL].size_mb,
        "teacher_latency_ms": timed[name].latency["median_ms"],
        "teacher_alike": alike,
        "teacher_alike_latency_ms": timed[str(out / TEACHER_ONNX / alike)].latency["median_ms"],
        "teacher_alike_size_mb": teacher.forms[alike].size_mb,
        "train_seconds": record.cost.get("train_seconds"),
    }


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole is not None and whole > 0 else None


def _described(size: Size, goal: Goal) -> dict[str, Any]:
    found = None if size.pursued is None else size.pursued.describe()
    return {
        "student": size.name,
        "allowed": size.allowed(goal),
        "forms": {form: each.describe() for form, each in size.forms.items()},
        "chance": None if size.pursued is None or size.pursued.retention is None else _chance(size.pursued, goal),
        **(found or {"retention": None, "trials": 0, "seconds": 0.0}),
    }


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


def _refuse_another(out: Path, base: Pipeline, goal: Goal, students: Sequence[str]) -> None:
    check_folder(out)
    if not out.is_dir() or not [path for path in out.iterdir() if not path.name.startswith(".")]:
        return
    if not (out / GIVEN).exists():
        raise UserError(str(out), f"holds no {GIVEN} to go on with; name another --out")
    before, now = yaml.safe_load((out / GIVEN).read_text(encoding="utf-8")), _given(base, goal, students)
    for field in ("base", "students"):
        if before.get(field) != now[field]:
            raise UserError(str(out / GIVEN), f"is of another call: {field} differs; name another --out")


def _given(base: Pipeline, goal: Goal, students: Sequence[str]) -> dict[str, Any]:
    return {"goal": goal.model_dump(), "students": [*students], "base": base.model_dump()}


def _begin(out: Path, base: Pipeline, goal: Goal, students: Sequence[str]) -> None:
    (out / "sizes").mkdir(parents=True, exist_ok=True)
    write_text(out / GIVEN, yaml.safe_dump(_given(base, goal, students), sort_keys=False, allow_unicode=True))
