"""A pipeline whose parts are known to fit together, before anything is computed or written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from distiller import data, models, tasks
from distiller.augment import Mixup
from distiller.data import Dataset, Examples
from distiller.errors import UserError
from distiller.mapping import Skip
from distiller.objectives import HiddenLossConfig, Layers, check_compatible
from distiller.pipeline import Pipeline
from distiller.tasks import Task
from distiller.training.ensemble import Ensemble
from distiller.training.examples import Reader


@dataclass(frozen=True)
class Member:
    """One of the models that teach.

    Attributes:
        name: The teacher, teacher 2 and so on.
        model: asset:NAME, path or hub id.
        place: The field that says so.
        reader: How it reads texts.
        classes: In the order of its logits; None where there are none.
    """

    name: str
    model: str
    place: str
    reader: Reader
    classes: list[str] | None = None


@dataclass(frozen=True)
class Plan:
    """What a run works with, besides its models.

    Attributes:
        pipeline: What was asked for.
        task: The task by that name.
        dataset: The data, validated and split.
        classes: The classes in the order of the logits, of first teacher and student alike; None for numbers.
        metric: The primary metric.
        members: The models that teach; layers are those of the first, and the student is cut out of it.
        student_reader: How the student reads texts.
        pairs: (student layer, teacher layer, weight) for the intermediate objective; empty if there is none.
    """

    pipeline: Pipeline
    task: Task
    dataset: Dataset
    classes: list[str] | None
    metric: str
    members: list[Member]
    student_reader: Reader
    pairs: list[tuple[int, int, float]]

    @property
    def teacher_reader(self) -> Reader:
        """How the first teacher reads texts."""
        return self.members[0].reader

    @property
    def ensemble(self) -> Ensemble:
        """How what the teachers say becomes one answer."""
        weighed = self.pipeline.teacher.weighting == "per-example"
        return Ensemble([self.order(member) for member in self.members], self.task.costs if weighed else None)

    def order(self, member: Member) -> list[int] | None:
        """Which of a teacher's outputs stands for each class; None if they are in the order of the classes."""
        if self.classes is None or member.classes is None or member.classes == self.classes:
            return None
        return [member.classes.index(name) for name in self.classes]

    @property
    def same_tokenizer(self) -> bool:
        """Whether teacher and student read texts alike."""
        return self.teacher_reader is self.student_reader

    @property
    def by_words(self) -> bool:
        """Whether hidden states are compared word by word, since teacher and student read other tokens."""
        between = self.pipeline.objective.between_layers
        return between is not None and between.level == "token" and not self.same_tokenizer

    @property
    def augmented_columns(self) -> list[int]:
        """Which of the columns of texts augmentation changes."""
        chosen, columns = self.pipeline.augmentation.columns, self.dataset.columns.text
        return [place for place, name in enumerate(columns) if chosen is None or name in chosen]

    @property
    def mixup(self) -> Mixup | None:
        """How the texts of a batch are mixed; None if they are not."""
        config = self.pipeline.augmentation.mixup
        return Mixup(config, self.pipeline.seed) if config is not None else None

    @property
    def mixes_before_reading(self) -> bool:
        """Whether the teacher reads mixed texts, and not the texts that are mixed."""
        mixup = self.pipeline.augmentation.mixup
        return mixup is not None and mixup.teacher == "live"

    @property
    def learned_from(self) -> list[Examples]:
        """The splits that the student learns from, besides copies of them."""
        return [self.dataset.train, *([self.dataset.unlabelled] if self.dataset.unlabelled else [])]

    @property
    def student_seed(self) -> int:
        """Of all that is drawn for the student alone."""
        seed = self.pipeline.training.seed
        return self.pipeline.seed if seed is None else seed

    def layers(self, student: PretrainedConfig, teacher: PretrainedConfig) -> Layers | None:
        """What the intermediate objective compares; None if there is none."""
        intermediate = self.pipeline.objective.between_layers
        if intermediate is None:
            return None
        width = "num_attention_heads" if intermediate.reads in models.FROM_MAPS else "hidden_size"
        return Layers(
            [(student_layer, teacher_layer) for student_layer, teacher_layer, _ in self.pairs],
            self.pipeline.mapping.weights(self.pairs),
            int(getattr(student, width)),
            int(getattr(teacher, width)),
            self.by_words,
        )


def check(pipeline: Pipeline, dataset: Dataset | None = None) -> None:
    """Refuse a pipeline whose parts do not fit together; nothing is computed.

    Args:
        pipeline: Any.
        dataset: That of the pipeline, if it has been read already.

    Raises:
        UserError: As `make_plan`.
    """
    make_plan(pipeline, dataset)


def make_plan(pipeline: Pipeline, dataset: Dataset | None = None) -> Plan:
    """Load data, tokenizers and configs, and check that all parts of the pipeline fit together.

    Args:
        pipeline: Any.
        dataset: That of the pipeline, if it has been read already.

    Raises:
        UserError: Naming the field, file or row that does not fit, and the mend.
    """
    task = tasks.build(pipeline.task)
    configs, members = _members(pipeline, task)
    teacher, teacher_reader = configs[0], members[0].reader
    student, student_reader = teacher, teacher_reader
    if pipeline.student.model is not None:
        student, student_reader = read_by(pipeline.student.model, "student.model", pipeline, task)
    if models.same_tokenizer(teacher_reader.tokenizer, student_reader.tokenizer):
        student_reader = teacher_reader
    if pipeline.student.layers is not None:
        models.check_layers(pipeline.student.layers, teacher, task.head_kind)
    pairs = _pairs(pipeline, student, teacher)
    dataset = dataset or data.load(pipeline.data, task.label_kind, pipeline.seed)
    between = pipeline.objective.between_layers
    _check_augmentation(pipeline, dataset.columns.text)
    if between is not None:
        texts = len(dataset.train) + (0 if dataset.unlabelled is None else len(dataset.unlabelled))
        between.check_texts(texts)
        _check_further(pipeline, between, texts)
    members = _with_classes(members, configs, pipeline, task, dataset.classes)
    classes = members[0].classes
    check_compatible(
        pipeline.objective,
        outputs=1 if task.label_kind == "numbers" else None if classes is None else len(classes),
        exclusive_classes=task.exclusive_classes,
        numbers=task.label_kind == "numbers",
        same_tokenizer=student_reader is teacher_reader,
    )
    metric = task.primary_metric(pipeline.metric, dataset.metric)
    plan = Plan(pipeline, task, dataset, classes, metric, members, student_reader, pairs)
    if plan.by_words:
        _check_words(plan)
    return plan


def _members(pipeline: Pipeline, task: Task) -> tuple[list[PretrainedConfig], list[Member]]:
    """Configs of all teachers, and how they read texts: those of one tokenizer with the same."""
    configs, members = list[PretrainedConfig](), list[Member]()
    for number, (model, place) in enumerate(zip(pipeline.teacher.members, pipeline.teacher.places, strict=True)):
        config, reader = read_by(model, place, pipeline, task)
        if members and models.same_tokenizer(members[0].reader.tokenizer, reader.tokenizer):
            reader = replace(reader, tokenizer=members[0].reader.tokenizer)
        elif members and task.segmentation is not None:
            mend = f"another tokenizer than {members[0].model!r}, and says something of each word; give models of one"
            raise UserError(place, f"{model!r} has {mend}")
        configs.append(config)
        members.append(Member("teacher" if number == 0 else f"teacher {number + 1}", model, place, reader))
    objective = pipeline.objective
    if len(members) > 1 and objective.on_predictions is None and objective.between_layers is not None:
        mend = "all but the first are asked for predictions alone, and the objective compares none"
        raise UserError("teacher.models", f"{mend}; give objective.prediction a loss, or name one teacher")
    return configs, members


def _with_classes(
    members: list[Member], configs: list[PretrainedConfig], pipeline: Pipeline, task: Task, classes: list[str] | None
) -> list[Member]:
    """With the classes of the data in the order of the logits of each: those that we fine-tune have it of the data."""
    if pipeline.teacher.finetune is not None:
        return [replace(member, classes=classes) for member in members]
    return [
        replace(member, classes=classes_of(task, config, classes, member.place))
        for member, config in zip(members, configs, strict=True)
    ]


def classes_of(task: Task, model: PretrainedConfig, classes: list[str] | None, place: str) -> list[str] | None:
    """The data's classes in the order of the logits of a model that is already fine-tuned; None where there are none.

    Raises:
        UserError: At `place`, if its head is for something else than the data.
    """
    return classes if task.label_kind == "answers" else models.classes_in_order_of(model, classes, place)


def _check_words(plan: Plan) -> None:
    """Refuse what cannot be compared word by word."""
    _check_fast(plan.teacher_reader.tokenizer, plan.members[0].model, plan.members[0].place)
    _check_fast(plan.student_reader.tokenizer, str(plan.pipeline.student.model), "student.model")
    if plan.pipeline.augmentation.mixup is not None:
        mend = "mixes positions, and teacher and student, of different tokenizers, are compared by words; use steps"
        raise UserError("augmentation.mixup", mend)


def _check_fast(tokenizer: PreTrainedTokenizerBase, model: str, place: str) -> None:
    if not tokenizer.is_fast:
        mend = "does not say which characters a token stands for; give a model with a fast tokenizer"
        raise UserError(place, f"the tokenizer of {model!r} {mend}")


def _check_augmentation(pipeline: Pipeline, columns: Sequence[str]) -> None:
    """Refuse what nothing can come of."""
    config = pipeline.augmentation
    for name in config.columns or []:
        if name not in columns:
            mend = f"{name!r} is no column of texts; data.text has {' and '.join(columns)}"
            raise UserError("augmentation.columns", mend)
    if config.copies > 1 and not config.steps:
        raise UserError("augmentation.copies", f"{config.copies} copies of which nothing is changed; add steps")
    objective = pipeline.objective
    if config.steps and objective.on_predictions is None and objective.between_layers is None:
        mend = "copies are labelled by the teacher alone, and the objective asks it nothing; add a prediction loss"
        raise UserError("augmentation.steps", mend)
    if config.mixup is not None and tasks.build(pipeline.task).segmentation is not None:
        mend = "mixes texts, and words of two texts do not stand at the same places; use steps"
        raise UserError("augmentation.mixup", mend)
    if config.mixup is not None and config.mixup.teacher == "live":
        _check_live_mixup(pipeline)


def _check_live_mixup(pipeline: Pipeline) -> None:
    """Refuse what needs the store, which cannot hold what the teacher says of mixed texts."""
    between = pipeline.objective.between_layers
    mend = (
        "and with augmentation.mixup the teacher reads texts that are new at every step; set its teacher: interpolate"
    )
    if pipeline.store.mode == "on":
        raise UserError("store.mode", f"is on, {mend}, or the store to auto")
    if between is not None and between.further > 0:
        raise UserError("objective.intermediate.negatives", f"are drawn from the store, {mend}")


def _check_further(pipeline: Pipeline, between: HiddenLossConfig, texts: int) -> None:
    """Refuse negatives from a store that is not used, or beside batches that hold all texts."""
    if between.further == 0:
        return
    if pipeline.store.mode == "off":
        mend = "is off, and objective.intermediate.negatives: store draws from it; set it to on"
        raise UserError("store.mode", mend)
    if pipeline.training.batch_size >= texts:
        mend = f"a batch of {pipeline.training.batch_size} holds all {texts} training texts: there are no others"
        raise UserError("objective.intermediate.negatives", f"{mend}; lower training.batch_size, or use batch")


def read_by(model: str, place: str, pipeline: Pipeline, task: Task) -> tuple[PretrainedConfig, Reader]:
    """The config of a model, and how it reads texts.

    Raises:
        UserError: If there is no such model, or it does not read as many tokens as the pipeline asks for.
    """
    config, tokenizer = models.load_config(model, place, task.head_kind), models.load_tokenizer(model, place)
    if task.segmentation is not None:
        _check_fast(tokenizer, model, place)
    longest = models.longest_text(config, tokenizer, task.head_kind)
    if pipeline.data.max_length > longest:
        mend = f"{pipeline.data.max_length} is more than the {longest} tokens that {model} reads; lower it"
        raise UserError("data.max_length", mend)
    return config, Reader(tokenizer, pipeline.data.max_length, longest, pipeline.data.overlap)


def _pairs(pipeline: Pipeline, student: PretrainedConfig, teacher: PretrainedConfig) -> list[tuple[int, int, float]]:
    intermediate = pipeline.objective.between_layers
    if pipeline.objective.intermediate is None and pipeline.mapping != Skip():
        mend = "give objective.intermediate one, or leave it out"
        raise UserError("mapping", f"{pipeline.mapping.type} has no loss between layers to map; {mend}")
    if intermediate is None:
        return []
    layers = pipeline.student.layers
    depth = int(student.num_hidden_layers) if layers is None else len(layers)
    pairs = pipeline.mapping.between(depth, int(teacher.num_hidden_layers))
    intermediate.check_widths(int(student.hidden_size), int(teacher.hidden_size))
    if intermediate.reads == "hidden_states":
        return pairs
    return _with_attention(pairs, intermediate, student, teacher)


def _with_attention(
    pairs: list[tuple[int, int, float]],
    intermediate: HiddenLossConfig,
    student: PretrainedConfig,
    teacher: PretrainedConfig,
) -> list[tuple[int, int, float]]:
    """The pairs without those of the embeddings, which have no attention."""
    heads = int(student.num_attention_heads), int(teacher.num_attention_heads)
    if intermediate.reads in models.FROM_MAPS and heads[0] != heads[1]:
        mend = f"compares head by head, but the student has {heads[0]} heads, its teacher {heads[1]}; use minilm"
        raise UserError("objective.intermediate", f"{intermediate.type} {mend}")
    pairs = [pair for pair in pairs if pair[0] > 0 and pair[1] > 0]
    if not pairs:
        mend = f"{intermediate.type} compares attention, which embeddings (layer 0) have none of; add a pair of layers"
        raise UserError("mapping", mend)
    return pairs
