"""The fine-tuned teacher: made once per checkpoint, labelled data and settings; kept in the cache for all runs."""

import hashlib
import json
import shutil
from pathlib import Path

import torch
from filelock import FileLock
from transformers import PreTrainedModel

from distiller import models
from distiller.assets import cache_folder
from distiller.errors import UserError
from distiller.files import write_json
from distiller.models import FinetuneConfig, HeadKind
from distiller.objectives import HardLabel, Objective, ObjectiveConfig
from distiller.training import precision
from distiller.training.distillation import Distillation
from distiller.training.evaluation import settle
from distiller.training.examples import NoTeacher, TrainingSet, encode
from distiller.training.loop import fit
from distiller.training.plan import Plan
from distiller.training.trainer import Validation
from distiller.version import __version__

SUMMARY = "teacher.json"


class Teacher:
    """A teacher that is ready to teach.

    Args:
        model: In float32, in evaluation mode.
        source: Where that can be loaded from again.
        finetune_seconds: What its fine-tuning took, whenever that was; 0 if it came fine-tuned.
        kind: Of its head.

    Attributes:
        fingerprint: Of its weights and config.
    """

    def __init__(
        self, model: PreTrainedModel, source: str, finetune_seconds: float, kind: HeadKind = "sequence"
    ) -> None:
        self._kind = kind
        self.fingerprint = models.fingerprint(model)
        self.finetune_seconds = finetune_seconds
        self._source = source
        self._model: PreTrainedModel | None = model

    @property
    def model(self) -> PreTrainedModel:
        """Loaded again if it was released.

        Raises:
            UserError: If it is another one by now.
        """
        if self._model is None:
            model = models.load_classifier(self._source, {}, "teacher.model", 0, self._kind)
            if models.fingerprint(model) != self.fingerprint:
                raise UserError("teacher.model", f"'{self._source}' changed during this run; start it again")
            self._model = model
        return self._model

    def release(self) -> None:
        """Have it in memory only when it is asked for again."""
        self._model = None


def prepare(plan: Plan, start: str) -> Teacher:
    """The teacher of a plan: loaded if it is fine-tuned already, taken from the cache, or fine-tuned now.

    Args:
        plan: Of the run.
        start: Fingerprint of the checkpoint `teacher.model`, so that what is in the cache is found without loading it.

    Raises:
        UserError: If it cannot be loaded, or its fine-tuning fails.
    """
    source, seed = plan.pipeline.teacher.model, plan.pipeline.seed
    config = plan.pipeline.teacher.finetune
    if config is None:
        model = models.load_classifier(source, {}, "teacher.model", seed, plan.task.head_kind)
        return Teacher(model, source, 0.0, plan.task.head_kind)
    folder = cache_folder() / "teachers" / _key(plan, config, start)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        return _kept(folder, plan.task.head_kind) or _fine_tuned(plan, config, folder)


def _key(plan: Plan, config: FinetuneConfig, start: str) -> str:
    """A name for the teacher that fine-tuning makes of `start`: all that its weights depend on."""
    content = {
        "version": __version__,
        "torch": torch.__version__,
        "start": start,
        "config": config.model_dump(exclude={"checkpoint_minutes"}),
        "precision": precision.resolve(config.precision),
        "data": plan.dataset.labelled_fingerprint,
        "classes": plan.classes,
        "task": plan.task.name,
        "metric": plan.metric,
        "tokenizer": models.tokenizer_fingerprint(plan.teacher_reader.tokenizer),
        "max_length": plan.teacher_reader.max_length,
        "stride": plan.teacher_reader.stride,
        "seed": plan.pipeline.seed,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _fine_tuned(plan: Plan, config: FinetuneConfig, folder: Path) -> Teacher:
    task, reader, seed = plan.task, plan.teacher_reader, plan.pipeline.seed
    source, head = plan.pipeline.teacher.model, task.head(plan.classes)
    model = models.load_classifier(source, head, "teacher.model", seed, task.head_kind)
    labels_alone = ObjectiveConfig(prediction=None, hard_label=HardLabel(weight=1.0))
    objective = Objective(labels_alone, None, task.label_loss, seed)
    checkpoints = folder.with_name(f"{folder.name}.checkpoints")
    validation = encode([plan.dataset.validation], plan.classes, task, reader)
    course = fit(
        Distillation(model, objective, teacher=None),
        TrainingSet(
            encode([plan.dataset.train], plan.classes, task, reader), task.target_dtype, NoTeacher(), reader.longest
        ),
        Validation(validation, task, plan.metric),
        config,
        seed=seed,
        folder=checkpoints,
        section="teacher.finetune",
        title="fine-tuning the teacher",
    )
    settle(model, validation, task, "teacher.finetune")
    model.to("cpu").eval()  # type: ignore[arg-type]
    models.save(model, reader.tokenizer, folder)
    ready = Teacher(model, str(folder), round(course.seconds, 2), task.head_kind)
    write_json(folder / SUMMARY, {"finetune_seconds": ready.finetune_seconds, "fingerprint": ready.fingerprint})
    shutil.rmtree(checkpoints, ignore_errors=True)
    return ready


def _kept(folder: Path, kind: HeadKind) -> Teacher | None:
    """The teacher in the cache, if it is whole."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        model = models.load_classifier(str(folder), {}, "teacher.model", 0, kind)
    except (OSError, ValueError, UserError):
        return None
    teacher = Teacher(model, str(folder), summary["finetune_seconds"], kind)
    return teacher if teacher.fingerprint == summary["fingerprint"] else None
