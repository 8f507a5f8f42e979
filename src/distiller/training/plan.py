"""A pipeline whose parts are known to fit together, before anything is computed or written."""

from dataclasses import dataclass

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from distiller import data, models, tasks
from distiller.data import Dataset
from distiller.errors import UserError
from distiller.objectives import check_compatible
from distiller.pipeline import Pipeline
from distiller.tasks import SequenceTask
from distiller.training.examples import Reader


@dataclass(frozen=True)
class Plan:
    """What a run works with, besides its teacher.

    Attributes:
        pipeline: What was asked for.
        task: The task by that name.
        dataset: The data, validated and split.
        metric: The primary metric.
        student_reader: How the student reads texts.
        same_tokenizer: Whether the teacher reads them alike.
        pairs: (student layer, teacher layer, weight) for the intermediate objective; empty if there is none.
    """

    pipeline: Pipeline
    task: SequenceTask
    dataset: Dataset
    metric: str
    student_reader: Reader
    same_tokenizer: bool
    pairs: list[tuple[int, int, float]]


def make_plan(pipeline: Pipeline) -> Plan:
    """Load data, tokenizers and configs, and check that all parts of the pipeline fit together.

    Raises:
        UserError: Naming the field, file or row that does not fit, and the mend.
    """
    task = tasks.build(pipeline.task)
    teacher_config = models.load_config(pipeline.teacher.model, "teacher.model")
    if pipeline.student.layers is not None:
        models.check_layers(pipeline.student.layers, teacher_config)
    teacher_tokenizer = models.load_tokenizer(pipeline.teacher.model, "teacher.model")
    student_source = pipeline.student.model
    student_tokenizer = models.load_tokenizer(student_source, "student.model") if student_source else teacher_tokenizer
    same_tokenizer = student_source is None or models.same_tokenizer(teacher_tokenizer, student_tokenizer)
    student_config = models.load_config(student_source, "student.model") if student_source else teacher_config
    for config, tokenizer in ((teacher_config, teacher_tokenizer), (student_config, student_tokenizer)):
        _check_length(pipeline, config, tokenizer)
    pairs = _pairs(pipeline, student_config, teacher_config)
    dataset = data.load(pipeline.data, task.label_kind, pipeline.seed)
    outputs = len(dataset.classes) if dataset.classes is not None else 1
    check_compatible(pipeline.objective, outputs=outputs, same_tokenizer=same_tokenizer)
    return Plan(
        pipeline=pipeline,
        task=task,
        dataset=dataset,
        metric=task.primary_metric(pipeline.metric, dataset.metric),
        student_reader=Reader(student_tokenizer, pipeline.data.max_length),
        same_tokenizer=same_tokenizer,
        pairs=pairs,
    )


def _check_length(pipeline: Pipeline, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    longest = models.longest_text(config, tokenizer)
    if pipeline.data.max_length > longest:
        mend = f"{pipeline.data.max_length} is more than the {longest} tokens that {config.model_type} reads; lower it"
        raise UserError("data.max_length", mend)


def _pairs(pipeline: Pipeline, student: PretrainedConfig, teacher: PretrainedConfig) -> list[tuple[int, int, float]]:
    if pipeline.objective.intermediate is None:
        return []
    layers = pipeline.student.layers
    depth = int(student.num_hidden_layers) if layers is None else len(layers)
    return pipeline.mapping.between(depth, int(teacher.num_hidden_layers))
