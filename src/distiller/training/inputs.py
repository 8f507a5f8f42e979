"""What a run was started with, kept in its folder: a run goes on only with the same."""

import json
from pathlib import Path
from typing import Any

from distiller import models
from distiller.augment import Policy
from distiller.errors import UserError
from distiller.files import write_json
from distiller.models import HeadKind
from distiller.training.plan import Plan

FILE = "inputs.json"


def fingerprints(plan: Plan) -> dict[str, str]:
    """SHA-256 of the data and of the checkpoints that a plan reads, whatever the names of their files.

    Raises:
        UserError: If a checkpoint, or what augmentation works with, is not there.
    """
    pipeline, head = plan.pipeline, plan.task.head(plan.classes)
    kind = plan.task.head_kind
    of_teacher = head if pipeline.teacher.finetune else {}
    places = {member.model: member.place for member in plan.members}
    teachers = {model: _of_model(model, of_teacher, place, kind) for model, place in places.items()}
    found = {"data": plan.dataset.fingerprint, **{member.name: teachers[member.model] for member in plan.members}}
    if pipeline.augmentation.steps:
        found["augmentation"] = Policy(pipeline.augmentation.steps).fingerprint
    if pipeline.student.model is None:
        return found
    return {**found, "student": _of_model(pipeline.student.model, head, "student.model", kind)}


def keep(folder: Path, found: dict[str, str]) -> None:
    """Note them in the folder of a run."""
    write_json(folder / FILE, found)


def check_same(folder: Path, found: dict[str, str]) -> None:
    """Refuse to go on with a run that was started with others; one killed before it noted any had done nothing yet.

    Raises:
        UserError: Naming what has changed.
    """
    if not (folder / FILE).exists():
        return
    kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
    changed = [name for name in found if kept.get(name) != found[name]]
    if changed:
        mend = f"the {' and the '.join(changed)} changed since this run was started; name another --out"
        raise UserError(str(folder), mend)


def _of_model(model: str, head: dict[str, Any], place: str, kind: HeadKind) -> str:
    return models.fingerprint(models.load_classifier(model, head, place, 0, kind))
