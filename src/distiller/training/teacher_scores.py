"""What a teacher scores and weighs: found out once for each teacher and dataset, and kept in the cache for all runs."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from distiller import models
from distiller.assets import cache_folder
from distiller.files import write_json
from distiller.training.evaluation import judged, settle
from distiller.training.examples import encode
from distiller.training.plan import Plan
from distiller.training.teacher import Teacher
from distiller.version import __version__

SIZE = "size_mb"


def teacher_scores(plan: Plan, teacher: Teacher) -> dict[str, Any]:
    """Every metric on `validation` and `test`, and `size_mb`: megabytes of the teacher saved as a student is.

    Raises:
        UserError: If its predictions are not finite.
    """
    path = cache_folder() / "scores" / f"{_key(plan, teacher)}.json"
    try:
        return {**json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError):
        found = _found_out(plan, teacher)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def _found_out(plan: Plan, teacher: Teacher) -> dict[str, Any]:
    task, reader, model = plan.task, plan.teacher_reader, teacher.model
    splits = {"validation": plan.dataset.validation, "test": plan.dataset.test}
    read = {name: encode([split], plan.classes, task, reader) for name, split in splits.items()}
    if task.is_settled and task.threshold(model.config) is None:
        settle(model, read["validation"], task, "teacher.model")
    scores = {name: task.scores(judged(model, split, task, "teacher.model")) for name, split in read.items()}
    return {**scores, SIZE: round(_saved_size(plan, teacher) / 1e6, 2)}


def _saved_size(plan: Plan, teacher: Teacher) -> int:
    """Bytes of the teacher saved as the student is, in float32, whatever else lies in the folder that it came from."""
    with tempfile.TemporaryDirectory() as folder:
        models.save(teacher.model, plan.teacher_reader.tokenizer, Path(folder) / "teacher")
        return models.size_on_disk(Path(folder) / "teacher")


def _key(plan: Plan, teacher: Teacher) -> str:
    reader = plan.teacher_reader
    content = {
        "version": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "teacher": teacher.fingerprint,
        "data": plan.dataset.labelled_fingerprint,
        "task": plan.task.name,
        "classes": plan.classes,
        "tokenizer": models.tokenizer_fingerprint(reader.tokenizer),
        "max_length": reader.max_length,
        "stride": reader.stride,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
