"""The fine-tuned teacher: made once per checkpoint, labelled data and settings; kept in the cache for all runs."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from transformers import PreTrainedModel

from distiller import models
from distiller.assets import cache_folder
from distiller.data import Dataset
from distiller.errors import UserError
from distiller.files import write_json
from distiller.models import FinetuneConfig
from distiller.objectives import HardLabel, Objective, ObjectiveConfig
from distiller.pipeline import Pipeline
from distiller.tasks import SequenceTask
from distiller.training import precision
from distiller.training.distillation import Distillation
from distiller.training.examples import Reader, TrainingSet, encode
from distiller.training.loop import fit
from distiller.training.trainer import Validation
from distiller.version import __version__

SUMMARY = "teacher.json"


@dataclass(frozen=True)
class Teacher:
    """A teacher that is ready to teach.

    Attributes:
        model: In float32, in evaluation mode.
        reader: Its tokenizer and the length at which it cuts texts.
        classes: The classes in the order of its logits; None for numbers.
        finetune_seconds: What its fine-tuning took, whenever that was; 0 if it came fine-tuned.
    """

    model: PreTrainedModel
    reader: Reader
    classes: list[str] | None
    finetune_seconds: float

    def save(self, folder: Path) -> None:
        """Write model and tokenizer as a plain Hugging Face folder."""
        models.save(self.model, self.reader.tokenizer, folder)


def prepare(pipeline: Pipeline, dataset: Dataset, task: SequenceTask, metric: str) -> Teacher:
    """The teacher of a pipeline: loaded if it is fine-tuned already, taken from the cache, or fine-tuned now.

    Raises:
        UserError: If it cannot be loaded, or its classes are not those of the data.
    """
    source = pipeline.teacher.model
    reader = Reader(models.load_tokenizer(source, "teacher.model"), pipeline.data.max_length)
    if pipeline.teacher.finetune is None:
        return _already_fine_tuned(source, reader, dataset, pipeline.seed)
    model = models.load_classifier(source, task.head(dataset.classes), "teacher.model", pipeline.seed)
    recipe = _Recipe(pipeline.teacher.finetune, dataset, task, metric, reader, pipeline.seed)
    folder = cache_folder() / "teachers" / recipe.key(model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        kept = _kept(folder, reader, dataset.classes)
        return kept or _fine_tuned(model, recipe, folder)


@dataclass(frozen=True)
class _Recipe:
    """All that the weights of a fine-tuned teacher depend on, besides those that it starts from."""

    config: FinetuneConfig
    dataset: Dataset
    task: SequenceTask
    metric: str
    reader: Reader
    seed: int

    def key(self, start: PreTrainedModel) -> str:
        """A name for the teacher that this recipe makes of `start`."""
        content = {
            "version": __version__,
            "torch": torch.__version__,
            "start": models.fingerprint(start),
            "config": self.config.model_dump(exclude={"checkpoint_minutes"}),
            "precision": precision.resolve(self.config.precision),
            "data": self.dataset.labelled_fingerprint,
            "classes": self.dataset.classes,
            "task": self.task.name,
            "metric": self.metric,
            "max_length": self.reader.max_length,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _fine_tuned(model: PreTrainedModel, recipe: _Recipe, folder: Path) -> Teacher:
    task, reader, dataset = recipe.task, recipe.reader, recipe.dataset
    train = encode(dataset.train, dataset.classes, task, reader)
    validation = encode(dataset.validation, dataset.classes, task, reader)
    labels_alone = ObjectiveConfig(prediction=None, hard_label=HardLabel(weight=1.0))
    width = int(model.config.hidden_size)
    objective = Objective(labels_alone, [], width, width, task.label_loss, recipe.seed)
    checkpoints = folder.with_name(f"{folder.name}.checkpoints")
    course = fit(
        Distillation(model, objective, teacher=None),
        TrainingSet(train, reader.tokenizer, task.target_dtype),
        Validation(validation, reader.tokenizer, task, recipe.metric),
        recipe.config,
        seed=recipe.seed,
        folder=checkpoints,
        section="teacher.finetune",
        title="fine-tuning the teacher",
    )
    model.to("cpu").eval()  # type: ignore[arg-type]
    teacher = Teacher(model, reader, dataset.classes, round(course.seconds, 2))
    teacher.save(folder)
    write_json(
        folder / SUMMARY, {"finetune_seconds": teacher.finetune_seconds, "fingerprint": models.fingerprint(model)}
    )
    shutil.rmtree(checkpoints, ignore_errors=True)
    return teacher


def _kept(folder: Path, reader: Reader, classes: list[str] | None) -> Teacher | None:
    """The teacher in the cache, if it is whole."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        model = models.load_classifier(str(folder), {}, "teacher.model", seed=0)
    except (OSError, ValueError, UserError):
        return None
    if models.fingerprint(model) != summary["fingerprint"]:
        return None
    return Teacher(model, reader, classes, summary["finetune_seconds"])


def _already_fine_tuned(source: str, reader: Reader, dataset: Dataset, seed: int) -> Teacher:
    model = models.load_classifier(source, {}, "teacher.model", seed)
    classes = models.classes_in_order_of(model.config, dataset.classes, "teacher.model")
    return Teacher(model, reader, classes, 0.0)
