"""One run, from a pipeline to a student and its record."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from distiller import metafeatures, models
from distiller.data import Examples
from distiller.errors import UserError
from distiller.files import check_folder
from distiller.machine import peak_memory_mb, reset_peak_memory
from distiller.objectives import Objective
from distiller.pipeline import Pipeline
from distiller.runs import FILE, RunRecord, new_record
from distiller.store import FrozenTeacher
from distiller.tasks import Tokens
from distiller.training import inputs
from distiller.training.augmented import augmented
from distiller.training.distillation import Distillation
from distiller.training.evaluation import compare_latency, judged, one_after_the_other, settle
from distiller.training.examinee import examinee
from distiller.training.examples import Encoded, NoTeacher, TrainingSet, encode
from distiller.training.loop import Course, fit
from distiller.training.plan import Plan, make_plan
from distiller.training.random_state import isolated_random_state
from distiller.training.signal import Asked, AskedBesideKept, AskedTogether
from distiller.training.teacher import Teacher, prepare
from distiller.training.teacher_scores import SIZE, teacher_scores
from distiller.training.teaching import prepare_teaching
from distiller.training.trainer import Validation
from distiller.training.transfer import mutual_information

PIPELINE = "pipeline.yaml"
STUDENT = "student"


@dataclass(frozen=True)
class RunResult:
    """What a run leaves: its record, and the student's folder, which transformers loads on its own."""

    record: RunRecord
    student_path: Path


def distill(pipeline: Pipeline, out: str | Path, resume: bool = False) -> RunResult:  # noqa: FBT001, FBT002 - a contract
    """Distil a student as `pipeline` says, into the folder `out`.

    Leaves `out`/student (a plain Hugging Face folder), `out`/run.json, `out`/checkpoints, and what a resumed run is
    held against: `out`/pipeline.yaml and `out`/inputs.json.

    Args:
        pipeline: The point of the search space to run.
        out: A folder that does not exist or is empty, unless `resume`.
        resume: Go on from what an earlier call with this pipeline left there; a finished run is given back as it is.

    Raises:
        UserError: If the pipeline, the data or `out` is not usable, the loss is not finite, or the data or a model is
            not what an earlier call had.
    """
    return RunResult(_run(pipeline, Path(out), resume=resume, until=None, timed=True), Path(out) / STUDENT)


def advance(pipeline: Pipeline, out: Path, until: int, *, timed: bool) -> RunRecord:
    """As `distill` with `resume`, but only until so many epochs are done: a later call goes on from there.

    The record that this leaves has the status `stopped` if there are further epochs, and what is known so far; its
    `metrics.epochs` says how many are done.

    Args:
        pipeline: The point of the search space to run.
        out: Its folder.
        until: After how many epochs to stop for now.
        timed: Whether the latency of a finished student is measured.

    Raises:
        UserError: As `distill`.
    """
    return _run(pipeline, out, resume=True, until=until, timed=timed)


def _run(pipeline: Pipeline, out: Path, *, resume: bool, until: int | None, timed: bool) -> RunRecord:
    _check_one_process()
    finished = _earlier(out, pipeline, resume=resume)
    plan = make_plan(pipeline)
    found = inputs.fingerprints(plan)
    inputs.check_same(out, found)
    if finished is not None:
        return finished
    record = new_record(pipeline.model_dump(), pipeline.seed)
    record.data = {**plan.dataset.describe(), "features": metafeatures.of_dataset(plan.dataset)}
    reset_peak_memory()
    pipeline.to_yaml(out / PIPELINE)
    inputs.keep(out, found)
    with _recorded(record, out):
        teachers = prepare(plan, found)
        record.teacher = _described(pipeline, teachers)
        student, course = _learn(plan, teachers, record, out, until)
        record.student = {**models.describe(student), "initialisation": pipeline.student.initialisation}
        record.student["size_ratio"] = record.student["parameters"] / record.teacher["parameters"]
        _note(plan, teachers, course, record)
        if course.epochs == pipeline.training.epochs:
            _measure(plan, teachers, student, record, out, timed=timed)
            record.status = "finished"
    return record


def _check_one_process() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("WORLD_SIZE", "a run is one process; start it without torchrun or accelerate launch")


def finetune(pipeline: Pipeline, out: str | Path) -> Path:
    """Fine-tune the teacher of `pipeline` and leave it in `out`/teacher, a plain Hugging Face folder.

    Raises:
        UserError: If the pipeline or the data is not usable, it names several teachers, `out`/teacher is there
            already, or this is one of several processes of a launcher.
    """
    _check_one_process()
    folder = Path(out) / "teacher"
    if len(pipeline.teacher.members) > 1:
        raise UserError("teacher.models", "names several; name one as teacher.model, or use distill, which makes all")
    if pipeline.teacher.finetune is None:
        raise UserError("teacher.finetune", "is null: the teacher is fine-tuned already; say how, or use distill")
    check_folder(Path(out))
    if folder.exists():
        raise UserError(str(folder), "is there already; name another --out")
    plan = make_plan(pipeline)
    [teacher] = prepare(plan, inputs.fingerprints(plan))
    models.save(teacher.model, plan.teacher_reader.tokenizer, folder)
    return folder


def build_store(pipeline: Pipeline) -> str:
    """Compute and keep all that `pipeline` wants of its teachers, fine-tuned first if need be; says what.

    Raises:
        UserError: If the pipeline or the data is not usable, the outputs cannot be kept, no teacher is asked, or this
            is one of several processes of a launcher.
    """
    _check_one_process()
    plan = make_plan(pipeline.replace(store=pipeline.store.replace(mode="on")))
    teachers = prepare(plan, inputs.fingerprints(plan))
    _, objective = _student_and_objective(plan, teachers[0])
    if not objective.needs_teacher:
        raise UserError("objective", "learns from labels alone: there is nothing of a teacher to keep")
    _, read_by_teachers = _as_all_read(plan, [*plan.learned_from, *_copies(plan)])
    return prepare_teaching(plan, teachers, objective, read_by_teachers).reason


@dataclass(frozen=True)
class Evaluation:
    """How a model does.

    Attributes:
        scores: Every metric of the task by name.
        files: By the names of JSON files, what else is known of its predictions.
    """

    scores: dict[str, float]
    files: dict[str, Any]


def evaluate(pipeline: Pipeline, model: str, split: str) -> Evaluation:
    """What `model` (asset:NAME, path or hub id) makes of a split of the pipeline's data: validation or test.

    Raises:
        UserError: If the model or the data is not usable.
    """
    judged_model, dataset = examinee(pipeline, model)
    predictions = judged_model.answers(judged_model.read(getattr(dataset, split)))
    return Evaluation(judged_model.task.scores(predictions), judged_model.task.files(predictions))


def _earlier(out: Path, pipeline: Pipeline, *, resume: bool) -> RunRecord | None:
    """The finished run in `out`, if that is what the user goes on from."""
    check_folder(out)
    # What begins with a dot is what a killed process left of a file that it was about to write.
    if not out.exists() or all(path.name.startswith(".") for path in out.iterdir()):
        return None
    if not resume:
        raise UserError(str(out), "is not empty; add --resume to go on with the run in it, or name another --out")
    if not (out / PIPELINE).exists():
        raise UserError(str(out), f"holds no {PIPELINE} of a run to resume; name another --out")
    difference = _difference(Pipeline.from_yaml(out / PIPELINE).model_dump(), pipeline.model_dump())
    if difference is not None:
        raise UserError(
            str(out / PIPELINE), f"is another pipeline than the one given: {difference}; name another --out"
        )
    record = RunRecord.read(out) if (out / FILE).exists() else None
    whole = record is not None and record.status == "finished" and (out / STUDENT).is_dir()
    return record if whole else None


def _difference(kept: dict[str, Any], given: dict[str, Any], prefix: str = "") -> str | None:
    """The first field in which two pipelines differ, with both values."""
    for name in [*kept, *(name for name in given if name not in kept)]:
        before, now = kept.get(name), given.get(name)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            return _difference(before, now, f"{prefix}{name}.")
        return f"{prefix}{name} was {before!r}, now {now!r}"
    return None


@contextmanager
def _recorded(record: RunRecord, out: Path) -> Iterator[None]:
    """Write the record when the run ends, however it ends."""
    try:
        yield
    except KeyboardInterrupt:
        record.status = "stopped"
        record.write(out)
        raise
    except Exception as error:
        record.status = "failed"
        record.metrics = {"error": str(error)}
        record.write(out)
        raise
    record.write(out)


def _learn(
    plan: Plan, teachers: list[Teacher], record: RunRecord, out: Path, until: int | None
) -> tuple[PreTrainedModel, Course]:
    """Build the student, train it, save it if it has learned to the end: what was saved, and how it went."""
    pipeline, task = plan.pipeline, plan.task
    student, objective = _student_and_objective(plan, teachers[0])
    examples, held_out, answering = _examples(plan, teachers, objective, record)
    if not answering:
        for teacher in teachers:
            teacher.release()
    distillation = Distillation(student, objective, answering, plan.ensemble)
    validation = encode([plan.dataset.validation], plan.classes, task, plan.student_reader)
    reading = objective.reads_of_student
    read_maps = reading is not None and reading.kind in models.FROM_MAPS
    with models.attention_maps(*[student] * read_maps), answering[0].ready() if answering else nullcontext():
        course = fit(
            distillation,
            examples,
            Validation(validation, task, plan.metric),
            pipeline.training,
            seed=plan.student_seed,
            folder=out / "checkpoints",
            section="training",
            title="distilling the student",
            until=until,
        )
    if course.epochs < pipeline.training.epochs:
        return student, course
    settle(student, validation, task, "training")
    models.save(student, plan.student_reader.tokenizer, out / STUDENT)
    if held_out is not None:
        with isolated_random_state(pipeline.seed):
            transferred = mutual_information(distillation, held_out, pipeline.training.batch_size)
        record.metrics["mutual_information"] = transferred
    return models.load_classifier(str(out / STUDENT), {}, "student", pipeline.seed, task.head_kind), course


def _student_and_objective(plan: Plan, teacher: Teacher) -> tuple[PreTrainedModel, Objective]:
    """As they are before any training."""
    pipeline, head = plan.pipeline, plan.task.head(plan.classes)
    seed = plan.student_seed
    student = models.build_student(
        pipeline.student, teacher.model, pipeline.teacher.model, head, seed, plan.task.head_kind
    )
    layers = plan.layers(student.config, teacher.model.config)
    return student, Objective(pipeline.objective, layers, plan.task.label_loss, seed)


def _examples(
    plan: Plan, teachers: list[Teacher], objective: Objective, record: RunRecord
) -> tuple[TrainingSet, TrainingSet | None, list[FrozenTeacher]]:
    """What is trained on, what mutual information is to be estimated on, and the teachers that still have to answer."""
    own, read_by_teachers = _as_all_read(plan, _texts(plan, record))
    dtype, longest = plan.task.target_dtype, min(plan.student_reader.longest, plan.teacher_reader.longest)
    if not objective.needs_teacher:
        return TrainingSet(own, dtype, NoTeacher(), longest, plan.mixup), None, []
    teaching = prepare_teaching(plan, teachers, objective, read_by_teachers)
    record.teacher["outputs"] = {"kept": teaching.kept is not None, "reason": teaching.reason}
    record.cost["store_seconds"] = teaching.seconds
    asked = Asked(teaching.teachers, read_by_teachers)
    live = AskedTogether(read_by_teachers) if plan.mixes_before_reading else asked
    examples = TrainingSet(own, dtype, teaching.kept or live, longest, plan.mixup)
    if not objective.estimates_mutual_information:
        return examples, None, [] if teaching.kept else teaching.teachers
    own, read_by_teachers = _as_all_read(plan, [plan.dataset.validation])
    asked = Asked(teaching.teachers, read_by_teachers)
    held_out = AskedBesideKept(asked, teaching.kept) if teaching.kept else asked
    return examples, TrainingSet(own, dtype, held_out, longest), teaching.teachers


def _texts(plan: Plan, record: RunRecord) -> list[Examples]:
    """What is trained on."""
    began = time.perf_counter()
    copies = _copies(plan)
    record.data["n_augmented"] = sum(map(len, copies))
    record.cost["augmentation_seconds"] = round(time.perf_counter() - began, 2)
    return [*plan.learned_from, *copies]


def _copies(plan: Plan) -> list[Examples]:
    copies = augmented(plan)
    return [copies] if copies is not None and len(copies) > 0 else []


def _as_all_read(plan: Plan, splits: list[Examples]) -> tuple[Encoded, list[Tokens]]:
    """Splits, one after the other, as the student reads them, and as each of its teachers does."""
    own, first = plan.student_reader, plan.teacher_reader
    read = encode(splits, plan.classes, plan.task, own, pieces=plan.by_words, beside=first)
    tokens = {id(own.tokenizer): read.tokens}
    for reader in [member.reader for member in plan.members]:
        if id(reader.tokenizer) not in tokens:
            by_words = plan.by_words and reader is first
            encoded = encode(splits, plan.classes, plan.task, reader, pieces=by_words, beside=own)
            tokens[id(reader.tokenizer)] = encoded.tokens
    return read, [tokens[id(member.reader.tokenizer)] for member in plan.members]


def _described(pipeline: Pipeline, teachers: list[Teacher]) -> dict[str, Any]:
    """As records have it: all parameters, since all teachers answer; of what else they are, that of the first."""
    described = [models.describe(teacher.model) for teacher in teachers]
    names = {"models": pipeline.teacher.models} if pipeline.teacher.models is not None else {}
    parameters = sum(each["parameters"] for each in described)
    return {"model": pipeline.teacher.name, **names, **described[0], "parameters": parameters}


def _note(plan: Plan, teachers: list[Teacher], course: Course, record: RunRecord) -> None:
    """What is known as soon as some epochs are done."""
    found = teacher_scores(plan, teachers)
    record.teacher |= {**found.described, "validation_score": found.scores["validation"][plan.metric]}
    record.metrics |= {
        "primary": plan.metric,
        "epochs": course.epochs,
        "teacher": found.scores,
        **({"members": found.members} if plan.pipeline.teacher.models is not None else {}),
        "history": course.history,
    }
    record.cost = {
        "finetune_seconds": round(sum(teacher.finetune_seconds for teacher in teachers), 2),
        "augmentation_seconds": record.cost["augmentation_seconds"],
        "store_seconds": record.cost.get("store_seconds", 0.0),
        "train_seconds": round(course.seconds, 2),
        "examples_per_second": round(course.examples_per_second, 1),
        "peak_memory_mb": peak_memory_mb(),
    }


def _measure(
    plan: Plan, teachers: list[Teacher], student: PreTrainedModel, record: RunRecord, out: Path, *, timed: bool
) -> None:
    """Fill the record: the student on validation and test, the one time that test is looked at; the speed of both."""
    read = {
        split: encode([examples], plan.classes, plan.task, plan.student_reader)
        for split, examples in {"validation": plan.dataset.validation, "test": plan.dataset.test}.items()
    }
    scores = {split: plan.task.scores(judged(student, read[split], plan.task, "training")) for split in read}
    score, teacher_score = scores["test"][plan.metric], record.metrics["teacher"]["test"][plan.metric]
    record.metrics |= {"split": "test", "score": score, "student": scores}
    record.retention = score / teacher_score if teacher_score > 0 else None
    record.student[SIZE] = round(models.size_on_disk(out / STUDENT) / 1e6, 2)
    if timed:
        asked = {
            member.name: (teacher.model, encode([plan.dataset.test], plan.classes, plan.task, member.reader).tokens)
            for member, teacher in zip(plan.members, teachers, strict=True)
        }
        timed_apart = compare_latency({**asked, "student": (student, read["test"].tokens)})
        of_teacher = one_after_the_other([timed_apart[name] for name in asked])
        record.latency = {"teacher": of_teacher, "student": timed_apart["student"]}
