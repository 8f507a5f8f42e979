"""What a teacher scores, how sure it is, and what it weighs: found out once for each teacher and dataset, and kept."""

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from distiller import metafeatures, models
from distiller.assets import cache_folder
from distiller.files import write_json
from distiller.training.evaluation import judged, settle
from distiller.training.examples import encode
from distiller.training.plan import Plan
from distiller.training.teacher import Teacher
from distiller.version import __version__

SIZE = "size_mb"


@dataclass(frozen=True)
class TeacherScores:
    """What is found out of a teacher.

    Attributes:
        scores: Every metric on `validation` and `test`.
        described: `size_mb`, megabytes of it saved as a student is, and `confidence` and `entropy` on validation.
    """

    scores: dict[str, dict[str, float]]
    described: dict[str, float | None]


def teacher_scores(plan: Plan, teacher: Teacher) -> TeacherScores:
    """From the cache, or else found out, and kept there.

    Raises:
        UserError: If its predictions are not finite.
    """
    path = cache_folder() / "scores" / f"{_key(plan, teacher)}.json"
    try:
        return TeacherScores(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        found = _found_out(plan, teacher)
    write_json(path, asdict(found))
    return found


def _found_out(plan: Plan, teacher: Teacher) -> TeacherScores:
    task, reader, model = plan.task, plan.teacher_reader, teacher.model
    splits = {"validation": plan.dataset.validation, "test": plan.dataset.test}
    read = {name: encode([split], plan.classes, task, reader) for name, split in splits.items()}
    if task.is_settled and task.threshold(model.config) is None:
        settle(model, read["validation"], task, "teacher.model")
    said = {name: judged(model, split, task, "teacher.model") for name, split in read.items()}
    return TeacherScores(
        scores={name: task.scores(predictions) for name, predictions in said.items()},
        described={
            SIZE: round(_saved_size(plan, teacher) / 1e6, 2),
            **metafeatures.of_predictions(said["validation"], task),
        },
    )


def _saved_size(plan: Plan, teacher: Teacher) -> int:
    """Bytes of the teacher saved as the student is, in float32, whatever else lies in the folder that it came from."""
    with tempfile.TemporaryDirectory() as folder:
        models.save(teacher.model, plan.teacher_reader.tokenizer, Path(folder) / "teacher")
        return models.size_on_disk(Path(folder) / "teacher")


def _key(plan: Plan, teacher: Teacher) -> str:
    reader = plan.teacher_reader
    content = {
        "version": __version__,
        "features": metafeatures.VERSION,
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
