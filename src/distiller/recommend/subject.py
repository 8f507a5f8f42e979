"""The dataset, teacher and student that a recommendation is asked for, as a run record would have them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from transformers import PretrainedConfig

from distiller import data, metafeatures, models, tasks, training
from distiller.data import Dataset
from distiller.pipeline import Pipeline
from distiller.runs import flat

LAYERS = re.compile(r"\d+(,\d+)*")


def base_of(data: str, teacher: str, student: str, changes: Sequence[str] = ()) -> Pipeline:
    """The pipeline that names data, teacher and student, as a command line has them.

    Args:
        data: What `data.source` may be.
        teacher: What `teacher.model` may be.
        student: What `student.model` may be, or the teacher's layers that it keeps, such as 0,2,4.
        changes: `dotted.key=value` of further fields, such as task=regression.

    Raises:
        UserError: If that is no pipeline.
    """
    content = {"data": {"source": data}, "teacher": {"model": teacher}, "student": student_of(student)}
    return Pipeline.from_text(json.dumps(content), "recommend", [*changes])


def student_of(name: str) -> dict[str, Any]:
    """The `student` of a pipeline that is meant by a model, or by the teacher's layers that it keeps, such as 0,2,4."""
    return {"layers": [int(layer) for layer in name.split(",")]} if LAYERS.fullmatch(name) else {"model": name}


@dataclass(frozen=True)
class Subject:
    """What is the same for all pipelines that are asked about.

    Attributes:
        base: The pipeline that names it.
        dataset: Read once.
        teacher: Its config.
        context: The parts `data` and `teacher` of a run record, as far as they are known before a run.
    """

    base: Pipeline
    dataset: Dataset
    teacher: PretrainedConfig
    context: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, base: Pipeline) -> "Subject":
        """Read data and configs, and ask a teacher that is fine-tuned about some texts how sure it is.

        Raises:
            UserError: If the data or a model is not usable.
        """
        task = tasks.build(base.task)
        named = zip(base.teacher.members, base.teacher.places, strict=True)
        teacher, *others = (models.load_config(name, place, task.head_kind) for name, place in named)
        models.outline(base.student, teacher, task.head_kind)  # refuses a student before anything takes time
        dataset = data.load(base.data, task.label_kind, base.seed)
        described = [models.described(config, task.head_kind) for config in (teacher, *others)]
        parameters = sum(each["parameters"] for each in described)
        context = {
            "data": {**dataset.describe(), "features": metafeatures.of_dataset(dataset)},
            "teacher": {"model": base.teacher.name, **described[0], "parameters": parameters},
        }
        if base.teacher.finetune is None:
            context["teacher"] |= training.teacher_signal(base, dataset)
        return cls(base, dataset, teacher, context)

    def describe(self, pipelines: Sequence[Pipeline]) -> pd.DataFrame:
        """Rows as run records have them before a run."""
        students: dict[str, dict[str, Any]] = {}
        for pipeline in pipelines:
            config = pipeline.student
            if config.model_dump_json() not in students:
                kind = tasks.build(pipeline.task).head_kind
                students[config.model_dump_json()] = models.outline(config, self.teacher, kind)
        records = [self._record(pipeline, students[pipeline.student.model_dump_json()]) for pipeline in pipelines]
        return pd.DataFrame([dict(flat(record)) for record in records])

    def check(self, pipeline: Pipeline) -> None:
        """Refuse one that cannot be run.

        Raises:
            UserError: Why not.
        """
        training.check(pipeline, self.dataset)

    def _record(self, pipeline: Pipeline, student: dict[str, Any]) -> dict[str, Any]:
        copies = pipeline.augmentation.copies if pipeline.augmentation.steps else 0
        return {
            "pipeline": pipeline.model_dump(),
            **self.context,
            "data": {**self.context["data"], "n_augmented": copies * len(self.dataset.train)},
            "student": {
                **student,
                "size_ratio": student["parameters"] / self.context["teacher"]["parameters"],
                "initialisation": pipeline.student.initialisation,
            },
        }
