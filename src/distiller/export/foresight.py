"""What students will take once they are exported, before any of them has learned anything."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

from distiller import models
from distiller.export.exported import FLOAT, INT8, ORIGINAL
from distiller.export.graph import OPSET, inputs_of, write_graph
from distiller.export.int8 import quantisable, write_int8
from distiller.export.session import OnnxModel
from distiller.models import StudentConfig
from distiller.pipeline import Pipeline
from distiller.tasks import Tokens
from distiller.training import TIMED_SENTENCES, compare_latency, encode, examinee, read_by


@dataclass(frozen=True)
class Foreseen:
    """What one form of a model takes: megabytes, and its latency as run records have it."""

    size_mb: float
    latency: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def foresee(pipeline: Pipeline, teacher: str, students: Mapping[str, StudentConfig]) -> dict[str, dict[str, Foreseen]]:
    """By name the forms of each student, in float and as integers; and the teacher as it is, by the name `teacher`.

    How fast a model is does not depend on its weights. All take turns on the first texts of the test split.

    Args:
        pipeline: Whose data is read.
        teacher: A folder, asset:NAME or hub id, fine-tuned.
        students: By name.

    Raises:
        UserError: If one cannot be made, or has no form in ONNX.
    """
    found, dataset = examinee(pipeline, teacher)
    task, head = found.task, found.task.head(found.classes)
    texts = dataset.test.at([*range(min(TIMED_SENTENCES, len(dataset.test)))])
    read = found.read(texts).tokens
    weights = sum(weight.nbytes for weight in found.model.parameters())
    contestants: dict[tuple[str, str], tuple[torch.nn.Module, Tokens]] = {("teacher", ORIGINAL): (found.model, read)}
    megabytes = {("teacher", ORIGINAL): weights / 1e6}
    with (
        TemporaryDirectory(prefix="distiller-") as room,
        Console(stderr=True).status("measuring what students of each size will take") as status,
    ):
        for number, (name, config) in enumerate(students.items()):
            status.update(f"measuring what a student of {name} will take ({number + 1} of {len(students)})")
            tokens = read
            if config.model is not None:
                _, reader = read_by(config.model, "student.model", pipeline, task)
                tokens = encode([texts.without_labels()], None, task, reader).tokens
            student = models.build_student(config, found.model, teacher, head, pipeline.seed, task.head_kind).eval()
            files = {form: Path(room) / f"{number}-{form}" for form in (FLOAT, INT8)}
            write_graph(student, task.head_kind, inputs_of(student, [*tokens.inputs]), OPSET, files[FLOAT], name)
            write_int8(files[FLOAT], files[INT8], quantisable(files[FLOAT]))
            for form, file in files.items():
                contestants[name, form] = OnnxModel(file), tokens
                megabytes[name, form] = file.stat().st_size / 1e6
        latency = compare_latency({"\0".join(key): both for key, both in contestants.items()})
    foreseen: dict[str, dict[str, Foreseen]] = {}
    for name, form in contestants:
        of_form = Foreseen(round(megabytes[name, form], 2), latency[f"{name}\0{form}"])
        foreseen.setdefault(name, {})[form] = of_form
    return foreseen
