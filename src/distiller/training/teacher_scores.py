"""What teachers score, how sure they are, and what they weigh: found out once for them and a dataset, and kept."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from distiller import metafeatures, models
from distiller.assets import cache_folder
from distiller.data import Dataset, Examples
from distiller.files import write_json
from distiller.pipeline import Pipeline
from distiller.tasks import Predictions
from distiller.training import inputs
from distiller.training.evaluation import averaged, in_order, judged, settle
from distiller.training.examples import encode
from distiller.training.plan import Member, Plan, make_plan
from distiller.training.teacher import Teacher, prepare
from distiller.version import __version__

SIZE = "size_mb"
WORDS_ASKED = 4096
"""Of one who asks for a recommendation: a teacher of twelve layers reads them in seconds."""
ASKED_WITH = {"task", "seed", "metric", "data", "teacher", "student"}
Answers = dict[str, Predictions]
"""By split."""


@dataclass(frozen=True)
class TeacherScores:
    """What is found out of the teachers of a run.

    Attributes:
        scores: Every metric on `validation` and `test`: of several teachers that of the mean of their logits.
        described: `size_mb`, megabytes of them saved as a student is, and `confidence` and `entropy` on validation.
        members: The scores of each teacher alone.
    """

    scores: dict[str, dict[str, float]]
    described: dict[str, float | None]
    members: list[dict[str, dict[str, float]]]


def teacher_scores(plan: Plan, teachers: Sequence[Teacher]) -> TeacherScores:
    """From the cache, or else found out, and kept there.

    An ensemble answers with the mean of the logits, however it is weighed where it teaches: nobody has labels where it
    is to answer.

    Raises:
        UserError: If predictions are not finite.
    """
    path = cache_folder() / "scores" / f"{_key(plan, teachers)}.json"
    try:
        return TeacherScores(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        found = _found_out(plan, teachers)
    write_json(path, asdict(found))
    return found


def scores_of_teachers(pipeline: Pipeline) -> tuple[str, TeacherScores]:
    """The primary metric of a pipeline, and what its teachers score, which are made if need be.

    Raises:
        UserError: If the pipeline or the data is not usable, or fine-tuning fails.
    """
    plan = make_plan(pipeline)
    return plan.metric, teacher_scores(plan, prepare(plan, inputs.fingerprints(plan)))


def teacher_signal(pipeline: Pipeline, dataset: Dataset) -> dict[str, float | None]:
    """Of fine-tuned teachers `validation_score`, `confidence` and `entropy`, as records have them, by some texts.

    Some of the validation split are drawn, as many as have 4096 words together; what is found is kept.

    Args:
        pipeline: With `teacher.finetune: null`; of it data, task, metric and teacher matter.
        dataset: That of the pipeline.

    Raises:
        UserError: If the teacher is not usable, or its predictions are not finite.
    """
    asked = Pipeline.model_validate(pipeline.model_dump(include=ASKED_WITH))
    plan = make_plan(asked, replace(dataset, validation=_some(dataset.validation, pipeline.seed)))
    teachers = prepare(plan, {member.name: member.model for member in plan.members})
    path = cache_folder() / "scores" / f"{_key(plan, teachers)}.signal.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        signal = _signal(plan, teachers)
    write_json(path, signal)
    return signal


def _some(examples: Examples, seed: int) -> Examples:
    """Whatever their order in the source, where those of one class often stand together."""
    order = np.random.default_rng(seed).permutation(len(examples)).tolist()
    words = np.cumsum([sum(len(text.split()) for text in examples.texts[place]) for place in order])
    return examples.at(order[: max(1, int((words <= WORDS_ASKED).sum()))])


def _signal(plan: Plan, teachers: Sequence[Teacher]) -> dict[str, float | None]:
    splits = {"validation": plan.dataset.validation}
    each = [_answers(plan, *both, splits) for both in zip(plan.members, teachers, strict=True)]
    said = (each[0] if len(each) == 1 else _together(plan, each))["validation"]
    return {
        "validation_score": plan.task.scores(said)[plan.metric],
        **metafeatures.of_predictions(said, plan.task),
    }


def _found_out(plan: Plan, teachers: Sequence[Teacher]) -> TeacherScores:
    splits = {"validation": plan.dataset.validation, "test": plan.dataset.test}
    each = [_answers(plan, *both, splits) for both in zip(plan.members, teachers, strict=True)]
    together = each[0] if len(each) == 1 else _together(plan, each)
    sizes = [_saved_size(*both) for both in zip(plan.members, teachers, strict=True)]
    return TeacherScores(
        scores=_scores(plan, together),
        described={
            SIZE: round(sum(sizes) / 1e6, 2),
            **metafeatures.of_predictions(together["validation"], plan.task),
        },
        members=[_scores(plan, said) for said in each],
    )


def _scores(plan: Plan, said: Answers) -> dict[str, dict[str, float]]:
    return {name: plan.task.scores(predictions) for name, predictions in said.items()}


def _answers(plan: Plan, member: Member, teacher: Teacher, splits: dict[str, Examples]) -> Answers:
    """What a teacher says of each split, its outputs in the order of the classes."""
    task, model, place = plan.task, teacher.model, member.place
    read = {name: encode([split], plan.classes, task, member.reader) for name, split in splits.items()}
    if task.is_settled and task.threshold(model.config) is None:
        settle(model, read["validation"], task, place)
    return {name: in_order(judged(model, split, task, place), plan.order(member)) for name, split in read.items()}


def _together(plan: Plan, each: Sequence[Answers]) -> Answers:
    """What teachers say in the mean; what is settled of one model is settled of them together."""
    said = {name: averaged([answers[name] for answers in each]) for name in each[0]}
    threshold = plan.task.threshold(SimpleNamespace(**plan.task.settled(said["validation"])))
    return {name: replace(predictions, threshold=threshold) for name, predictions in said.items()}


def _saved_size(member: Member, teacher: Teacher) -> int:
    """Bytes of a teacher saved as the student is, in float32, whatever else lies in the folder that it came from."""
    with tempfile.TemporaryDirectory() as folder:
        models.save(teacher.model, member.reader.tokenizer, Path(folder) / "teacher")
        return models.size_on_disk(Path(folder) / "teacher")


def _key(plan: Plan, teachers: Sequence[Teacher]) -> str:
    reader = plan.teacher_reader
    content = {
        "version": __version__,
        "features": metafeatures.VERSION,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "teachers": [teacher.fingerprint for teacher in teachers],
        "data": plan.dataset.labelled_fingerprint,
        "task": plan.task.name,
        "classes": [member.classes for member in plan.members],
        "tokenizers": [models.tokenizer_fingerprint(member.reader.tokenizer) for member in plan.members],
        "max_length": reader.max_length,
        "stride": reader.stride,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
