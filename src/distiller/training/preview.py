"""What augmentation makes of texts, and what the teacher says of both."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from distiller.augment import Policy
from distiller.data import Examples
from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.tasks import Found, Predictions, answers, chosen, entities, guessed_tags
from distiller.training import inputs
from distiller.training.augmented import changed_texts, copy_seed, parts_to_change, texts_and_what_is_kept
from distiller.training.evaluation import averaged, in_order, predict
from distiller.training.examples import encode
from distiller.training.plan import Plan, make_plan
from distiller.training.progress import TextsBar
from distiller.training.teacher import Teacher, prepare


@dataclass(frozen=True)
class Saying:
    """What the teacher says of a text: a class and its probability, or a number and none.

    Of classes that come together all that it says yes to, of words all that are in an entity by their number and type;
    and how sure it is where it is least so.
    """

    label: str
    confidence: float | None


@dataclass(frozen=True)
class Changed:
    """A text before and after augmentation, column by column, and what the teacher says of it then."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    said_before: Saying
    said_after: Saying

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def preview(pipeline: Pipeline, count: int) -> list[Changed]:
    """The first copies of some training texts, drawn with the seed of the pipeline; the teacher is made if need be.

    Raises:
        UserError: If the pipeline or the data is not usable, or has no steps of augmentation.
    """
    plan = make_plan(pipeline)
    if not pipeline.augmentation.steps:
        raise UserError("augmentation.steps", "are none: there is nothing to show; add some")
    teachers = prepare(plan, inputs.fingerprints(plan))
    texts, kept = texts_and_what_is_kept(plan)
    drawn = sorted(np.random.default_rng(pipeline.seed).permutation(len(texts))[:count].tolist())
    before = [texts[number] for number in drawn]
    untouched = [kept[number] for number in drawn]
    with TextsBar("augmenting", parts_to_change(before, untouched, plan.augmented_columns)) as bar:
        policy = Policy(pipeline.augmentation.steps)
        seed = copy_seed(pipeline.seed, 0)
        after = changed_texts(before, untouched, policy, plan.augmented_columns, seed, bar)
    said = _sayings(_answers(plan, teachers, Examples([*before, *after], None)), plan)
    return [*map(Changed, before, after, said[: len(before)], said[len(before) :])]


def _answers(plan: Plan, teachers: Sequence[Teacher], texts: Examples) -> Predictions:
    """What the teachers say in the mean."""
    said = []
    for member, teacher in zip(plan.members, teachers, strict=True):
        read = encode([texts], plan.classes, plan.task, member.reader)
        said.append(in_order(predict(teacher.model, read, member.place), plan.order(member)))
    return averaged(said)


def _sayings(predictions: Predictions, plan: Plan) -> list[Saying]:
    logits = predictions.logits
    if plan.task.label_kind == "answers":
        return [Saying(best.text or "no answer", best.probability) for best in _best_answers(predictions)]
    if plan.classes is None:
        return [Saying(f"{number:.3f}", None) for number in logits[:, 0].tolist()]
    if not plan.task.exclusive_classes:
        return [_several(row, plan.classes) for row in expit(logits)]
    if plan.task.segmentation is not None:
        tags, sure = guessed_tags(predictions), softmax(np.nan_to_num(logits), axis=1).max(axis=1)
        sure = np.where(np.isnan(logits).all(axis=1), 1.0, sure)  # it says nothing of words that it does not read
        return [*map(_of_words, predictions.by_text(tags), predictions.by_text(sure))]
    probabilities = softmax(logits, axis=1)
    return [Saying(plan.classes[int(row.argmax())], float(row.max())) for row in probabilities]


def _best_answers(predictions: Predictions) -> list[Found]:
    """Of each question, where no threshold weighs for or against an answer."""
    return [chosen(of_one, 0.0) for of_one in answers(predictions)]


def _several(probabilities: NDArray[np.float32], classes: list[str]) -> Saying:
    names = [name for name, probability in zip(classes, probabilities.tolist(), strict=True) if probability > 0.5]
    return Saying(" + ".join(names) or "none", float(np.maximum(probabilities, 1 - probabilities).min()))


def _of_words(tags: NDArray[np.str_], sure: NDArray[np.float32]) -> Saying:
    spans = [(kind, first + 1, last + 1) for kind, first, last in entities(tags.tolist())]
    found = [f"{kind} {first}" if first == last else f"{kind} {first}-{last}" for kind, first, last in spans]
    return Saying(", ".join(found) or "none", float(sure.min()))
