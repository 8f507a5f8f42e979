"""What students will take once they are exported, before any of them has learned anything."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

from distiller import data, models, tasks
from distiller.export.exported import FLOAT, INT8, ORIGINAL
from distiller.export.graph import OPSET, inputs_of, write_graph
from distiller.export.int8 import quantisable, write_int8
from distiller.export.runtime import fast_tokenizer
from distiller.export.session import OnnxModel
from distiller.models import StudentConfig
from distiller.pipeline import Pipeline
from distiller.tasks import Tokens
from distiller.training import TIMED_SENTENCES, Reader, compare_latency, encode, read_by

TEACHER = "teacher"


@dataclass(frozen=True)
class Foreseen:
    """What one form of a model takes: megabytes, and its latency as run records have it."""

    size_mb: float
    latency: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def foresee(pipeline: Pipeline, students: Mapping[str, StudentConfig]) -> dict[str, dict[str, Foreseen]]:
    """By name the forms of each student, in float and as integers; and the teacher in PyTorch, by the name `teacher`.

    How fast a model is does not depend on its weights: neither has learned the task. All take turns on the first texts
    of the test split.

    Args:
        pipeline: Whose data is read, with the teacher.
        students: By name.

    Raises:
        UserError: If one cannot be made, has no form in ONNX, or a tokenizer that needs transformers.
    """
    task = tasks.build(pipeline.task)
    dataset = data.load(pipeline.data.replace(unlabelled=None), task.label_kind, pipeline.seed)
    texts = dataset.test.at([*range(min(TIMED_SENTENCES, len(dataset.test)))]).without_labels()
    head, source = task.head(dataset.classes), pipeline.teacher.model
    own_head = {} if pipeline.teacher.finetune is None else head
    teacher = models.load_classifier(source, own_head, "teacher.model", pipeline.seed, task.head_kind).eval()

    def tokens_of(model: str, place: str) -> Tokens:
        reader: Reader = read_by(model, place, pipeline, task)[1]
        fast_tokenizer(reader, place)
        return encode([texts], None, task, reader).tokens

    read = tokens_of(source, "teacher.model")
    contestants: dict[str, tuple[torch.nn.Module, Tokens]] = {f"{TEACHER}\0{ORIGINAL}": (teacher, read)}
    megabytes = {f"{TEACHER}\0{ORIGINAL}": sum(weight.nbytes for weight in teacher.parameters()) / 1e6}
    with (
        TemporaryDirectory(prefix="distiller-") as room,
        Console(stderr=True).status("measuring what students of each size will take") as status,
    ):
        for number, (name, config) in enumerate(students.items()):
            status.update(f"measuring what a student of {name} will take ({number + 1} of {len(students)})")
            tokens = read if config.model is None else tokens_of(config.model, "student.model")
            student = models.build_student(config, teacher, source, head, pipeline.seed, task.head_kind).eval()
            files = {form: Path(room) / f"{number}-{form}" for form in (FLOAT, INT8)}
            write_graph(student, task.head_kind, inputs_of(student, [*tokens.inputs]), OPSET, files[FLOAT], name)
            write_int8(files[FLOAT], files[INT8], quantisable(files[FLOAT]))
            for form, file in files.items():
                contestants[f"{name}\0{form}"] = OnnxModel(file), tokens
                megabytes[f"{name}\0{form}"] = file.stat().st_size / 1e6
        latency = compare_latency(contestants)
    foreseen: dict[str, dict[str, Foreseen]] = {}
    for both in contestants:
        name, form = both.split("\0")
        foreseen.setdefault(name, {})[form] = Foreseen(round(megabytes[both], 2), latency[both])
    return foreseen
