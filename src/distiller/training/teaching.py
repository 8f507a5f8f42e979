"""How a run is taught: whether the outputs of its teacher are kept, and the computing of those that are lacking."""

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
from distiller.training.plan import Plan
from distiller.training.progress import TextsBar
from distiller.training.signal import Kept
from distiller.training.teacher import Teacher


@dataclass(frozen=True)
class Teaching:
    """How a run is taught.

    Attributes:
        teacher: As it answers.
        kept: What it said of the training texts; None if it is asked at every step.
        reason: Why, in a line.
        seconds: What this run needed to have the outputs.
    """

    teacher: FrozenTeacher
    kept: Kept | None
    reason: str
    seconds: float


def prepare_teaching(plan: Plan, teacher: Teacher, objective: Objective, tokens: Tokens) -> Teaching:
    """Choose, say so, and compute what is lacking.

    Args:
        plan: Of the run.
        teacher: Ready to teach.
        objective: What is looked at.
        tokens: The training texts as the teacher reads them.

    Raises:
        UserError: If outputs have to be kept and cannot be.
    """
    began = time.perf_counter()
    config = plan.pipeline.store
    if objective.further > 0:
        config = config.replace(mode="on")
    frozen = FrozenTeacher.of(teacher.model, objective.reads_of_teacher, config.dtype, plan.teacher_reader.longest)
    if config.mode == "off" or plan.mixes_before_reading:
        mixed = "augmentation.mixup has it read texts that are new at every step"
        return Teaching(frozen, None, mixed if plan.mixes_before_reading else "store.mode is off", 0.0)
    outputs, digests = _opened(plan, teacher, frozen), tokens.digests()
    choice = store.choose(config, _need(plan, tokens, digests, outputs), outputs.folder)
    for path in outputs.damaged:
        _say(f"{path} is damaged: it is not read, and what it held counts as lacking")
    if choice.kept:
        _say(choice.reason)
        choice = _built(outputs, tokens, digests, choice)
    if choice.kept:
        of_words = plan.task.segmentation is not None
        kept = Kept(outputs.columns(digests), frozen.reading, objective.further, plan.pipeline.seed, of_words)
        return Teaching(frozen, kept, choice.reason, round(time.perf_counter() - began, 2))
    if objective.further > 0:
        mend = f"are drawn from the store, but {choice.reason}; or set it to batch"
        raise UserError("objective.intermediate.negatives", mend)
    if config.mode == "on":
        raise UserError("store.mode", f"is on, but {choice.reason}; or set it to off")
    _say(choice.reason)
    return Teaching(frozen, None, choice.reason, 0.0)


def _opened(plan: Plan, teacher: Teacher, frozen: FrozenTeacher) -> TeacherOutputs:
    return TeacherOutputs(
        frozen,
        teacher.fingerprint,
        models.tokenizer_fingerprint(plan.teacher_reader.tokenizer),
        {"model": plan.pipeline.teacher.model, "data": plan.pipeline.data.source},
    )


def _need(plan: Plan, tokens: Tokens, digests: Sequence[bytes], outputs: TeacherOutputs) -> Need:
    distinct = [*{digest: row for row, digest in enumerate(digests)}.values()]
    lacking, sizes = outputs.lacking(digests), outputs.sizes(tokens)
    return Need(
        texts=len(distinct),
        lacking=len(lacking),
        bytes=int(sizes[distinct].sum()),
        bytes_lacking=int(sizes[lacking].sum()),
        reads=plan.pipeline.training.epochs,
        pads_left=tokens.pads_left,
    )


def _built(outputs: TeacherOutputs, tokens: Tokens, digests: Sequence[bytes], choice: Choice) -> Choice:
    """Compute what is lacking; it may turn out that this cannot be kept."""
    lacking = len(outputs.lacking(digests))
    if lacking == 0:
        return choice
    try:
        with TextsBar("asking the teacher", lacking) as bar, freed_memory_reused():
            outputs.build(
                tokens, digests, bar.advance, lambda: _say("another process computes outputs of this teacher: waiting")
            )
    except OSError as error:
        reason = f"outputs cannot be kept in {outputs.folder} ({error.strerror}); make room, or set DISTILLER_CACHE"
        return Choice(kept=False, reason=reason)
    return choice


def _say(line: str) -> None:
    Console(stderr=True).print(f"teacher: {line}", markup=False, highlight=False, soft_wrap=True)
