"""How a run is taught: whether the outputs of its teachers are kept, and the computing of those that are lacking."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from distiller import models, store
from distiller.errors import UserError
from distiller.objectives import Objective
from distiller.store import Choice, FrozenTeacher, Need, TeacherOutputs
from distiller.tasks import Tokens
from distiller.training.memory import freed_memory_reused
from distiller.training.plan import Member, Plan
from distiller.training.progress import TextsBar
from distiller.training.signal import Kept
from distiller.training.teacher import Teacher


@dataclass(frozen=True)
class Teaching:
    """How a run is taught.

    Attributes:
        teachers: As they answer.
        kept: What they said of the training texts; None if they are asked at every step.
        reason: Why, in a line.
        seconds: What this run needed to have the outputs.
    """

    teachers: list[FrozenTeacher]
    kept: Kept | None
    reason: str
    seconds: float


@dataclass(frozen=True)
class Answers:
    """What one teacher is to have said, and where that is kept."""

    outputs: TeacherOutputs
    tokens: Tokens
    digests: list[bytes]


def prepare_teaching(
    plan: Plan, teachers: Sequence[Teacher], objective: Objective, tokens: Sequence[Tokens]
) -> Teaching:
    """Choose, say so, and compute what is lacking.

    Args:
        plan: Of the run.
        teachers: Ready to teach; of the first layers may be wanted too.
        objective: What is looked at.
        tokens: The training texts as each teacher reads them.

    Raises:
        UserError: If outputs have to be kept and cannot be.
    """
    began = time.perf_counter()
    config = plan.pipeline.store
    if objective.further > 0:
        config = config.replace(mode="on")
    readings = [objective.reads_of_teacher, *[None] * (len(teachers) - 1)]
    frozen = [
        FrozenTeacher.of(teacher.model, reading, config.dtype, member.reader.longest)
        for teacher, reading, member in zip(teachers, readings, plan.members, strict=True)
    ]
    if config.mode == "off" or plan.mixes_before_reading:
        mixed = "augmentation.mixup has it read texts that are new at every step"
        return Teaching(frozen, None, mixed if plan.mixes_before_reading else "store.mode is off", 0.0)
    answers = [_opened(plan, *each) for each in zip(plan.members, teachers, frozen, tokens, strict=True)]
    choice = store.choose(config, _need(plan, answers), answers[0].outputs.folder)
    for path in (path for each in answers for path in each.outputs.damaged):
        _say(f"{path} is damaged: it is not read, and what it held counts as lacking")
    if choice.kept:
        _say(choice.reason)
        choice = _built(answers, choice)
    if choice.kept:
        first, *others = [each.outputs.columns(each.digests) for each in answers]
        of_words = plan.task.segmentation is not None
        kept = Kept(first, frozen[0].reading, objective.further, plan.pipeline.seed, of_words, others)
        return Teaching(frozen, kept, choice.reason, round(time.perf_counter() - began, 2))
    if objective.further > 0:
        mend = f"are drawn from the store, but {choice.reason}; or set it to batch"
        raise UserError("objective.intermediate.negatives", mend)
    if config.mode == "on":
        raise UserError("store.mode", f"is on, but {choice.reason}; or set it to off")
    _say(choice.reason)
    return Teaching(frozen, None, choice.reason, 0.0)


def _opened(plan: Plan, member: Member, teacher: Teacher, frozen: FrozenTeacher, tokens: Tokens) -> Answers:
    outputs = TeacherOutputs(
        frozen,
        teacher.fingerprint,
        models.tokenizer_fingerprint(member.reader.tokenizer),
        {"model": member.model, "data": plan.pipeline.data.source},
    )
    return Answers(outputs, tokens, tokens.digests())


def _need(plan: Plan, answers: Sequence[Answers]) -> Need:
    """Of all teachers together; how many texts are distinct differs with their tokenizers."""
    distinct = [[*{digest: row for row, digest in enumerate(each.digests)}.values()] for each in answers]
    lacking = [each.outputs.lacking(each.digests) for each in answers]
    sizes = [each.outputs.sizes(each.tokens) for each in answers]
    return Need(
        texts=max(map(len, distinct)),
        lacking=max(map(len, lacking)),
        bytes=sum(int(size[rows].sum()) for size, rows in zip(sizes, distinct, strict=True)),
        bytes_lacking=sum(int(size[rows].sum()) for size, rows in zip(sizes, lacking, strict=True)),
        reads=plan.pipeline.training.epochs,
        pads_left=any(each.tokens.pads_left for each in answers),
    )


def _built(answers: Sequence[Answers], choice: Choice) -> Choice:
    """Compute what is lacking; it may turn out that this cannot be kept."""
    for each in answers:
        lacking = len(each.outputs.lacking(each.digests))
        if lacking == 0:
            continue
        try:
            _build(each, lacking)
        except OSError as error:
            reason = f"outputs cannot be kept in {each.outputs.folder} ({error.strerror})"
            return Choice(kept=False, reason=f"{reason}; make room, or set DISTILLER_CACHE")
    return choice


def _build(answers: Answers, lacking: int) -> None:
    def waiting() -> None:
        _say("another process computes outputs of this teacher: waiting")

    with TextsBar("asking the teacher", lacking) as bar, freed_memory_reused():
        answers.outputs.build(answers.tokens, answers.digests, bar.advance, waiting)


def _say(line: str) -> None:
    Console(stderr=True).print(f"teacher: {line}", markup=False, highlight=False, soft_wrap=True)
