"""The fine-tuned teachers: made once per checkpoint, labelled data and settings; kept in the cache for all runs."""

import hashlib
import json
import shutil
from collections.abc import Mapping
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
from distiller.training.plan import Member, Plan
from distiller.training.trainer import Validation
from distiller.version import __version__

SUMMARY = "teacher.json"
SEEDS = 2**32
"""There are so many."""


class Teacher:
    """A teacher that is ready to teach.

    Args:
        model: In float32, in evaluation mode.
        source: Where that can be loaded from again.
        place: Field that names it, for messages.
        finetune_seconds: What its fine-tuning took, whenever that was; 0 if it came fine-tuned.
        kind: Of its head.

    Attributes:
        fingerprint: Of its weights and config.
    """

    def __init__(
        self, model: PreTrainedModel, source: str, place: str, finetune_seconds: float, kind: HeadKind = "sequence"
    ) -> None:
        self._kind = kind
        self.fingerprint = models.fingerprint(model)
        self.finetune_seconds = finetune_seconds
        self._source = source
        self._place = place
        self._model: PreTrainedModel | None = model

    @property
    def model(self) -> PreTrainedModel:
        """Loaded again if it was released.

        Raises:
            UserError: If it is another one by now.
        """
        if self._model is None:
            model = models.load_classifier(self._source, {}, self._place, 0, self._kind)
            if models.fingerprint(model) != self.fingerprint:
                raise UserError(self._place, f"'{self._source}' changed during this run; start it again")
            self._model = model
        return self._model

    def release(self) -> None:
        """Have it in memory only when it is asked for again."""
        self._model = None


def prepare(plan: Plan, starts: Mapping[str, str]) -> list[Teacher]:
    """The teachers of a plan: loaded if they are fine-tuned already, taken from the cache, or fine-tuned now.

    Of those that begin with the same checkpoint each is fine-tuned with a seed of its own, from that of the pipeline
    upwards: so the first of them is the one that would teach alone.

    Args:
        plan: Of the run.
        starts: By the names of the members, fingerprints of their checkpoints, so that what is in the cache is found
            without loading these.

    Raises:
        UserError: If one cannot be loaded, or its fine-tuning fails.
    """
    begun = [starts[member.name] for member in plan.members]
    repeats = [begun[:number].count(start) for number, start in enumerate(begun)]
    seeds = [(plan.pipeline.seed + repeat) % SEEDS for repeat in repeats]
    return [_prepared(plan, *each) for each in zip(plan.members, begun, seeds, strict=True)]


def _prepared(plan: Plan, member: Member, start: str, seed: int) -> Teacher:
    config = plan.pipeline.teacher.finetune
    if config is None:
        model = models.load_classifier(member.model, {}, member.place, seed, plan.task.head_kind)
        return Teacher(model, member.model, member.place, 0.0, plan.task.head_kind)
    folder = cache_folder() / "teachers" / _key(plan, member, config, start, seed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        return _kept(folder, member, plan.task.head_kind) or _fine_tuned(plan, member, config, folder, seed)


def _key(plan: Plan, member: Member, config: FinetuneConfig, start: str, seed: int) -> str:
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
        "tokenizer": models.tokenizer_fingerprint(member.reader.tokenizer),
        "max_length": member.reader.max_length,
        "stride": member.reader.stride,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _fine_tuned(plan: Plan, member: Member, config: FinetuneConfig, folder: Path, seed: int) -> Teacher:
    task, reader, head = plan.task, member.reader, plan.task.head(plan.classes)
    model = models.load_classifier(member.model, head, member.place, seed, task.head_kind)
    labels_alone = ObjectiveConfig(prediction=None, hard_label=HardLabel(weight=1.0))
    objective = Objective(labels_alone, None, task.label_loss, seed)
    checkpoints = folder.with_name(f"{folder.name}.checkpoints")
    validation = encode([plan.dataset.validation], plan.classes, task, reader)
    course = fit(
        Distillation(model, objective),
        TrainingSet(
            encode([plan.dataset.train], plan.classes, task, reader), task.target_dtype, NoTeacher(), reader.longest
        ),
        Validation(validation, task, plan.metric),
        config,
        seed=seed,
        folder=checkpoints,
        section="teacher.finetune",
        title=f"fine-tuning the {member.name}",
    )
    settle(model, validation, task, "teacher.finetune")
    model.to("cpu").eval()  # type: ignore[arg-type]
    models.save(model, reader.tokenizer, folder)
    ready = Teacher(model, str(folder), member.place, round(course.seconds, 2), task.head_kind)
    write_json(folder / SUMMARY, {"finetune_seconds": ready.finetune_seconds, "fingerprint": ready.fingerprint})
    shutil.rmtree(checkpoints, ignore_errors=True)
    return ready


def _kept(folder: Path, member: Member, kind: HeadKind) -> Teacher | None:
    """The teacher in the cache, if it is whole."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        model = models.load_classifier(str(folder), {}, member.place, 0, kind)
    except (OSError, ValueError, UserError):
        return None
    teacher = Teacher(model, str(folder), member.place, summary["finetune_seconds"], kind)
    return teacher if teacher.fingerprint == summary["fingerprint"] else None
