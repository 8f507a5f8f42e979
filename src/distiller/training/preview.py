"""What augmentation makes of texts, and what the teacher says of both."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from distiller.augment import Policy
from distiller.data import Examples
from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.training import inputs
from distiller.training.augmented import changed_texts, copy_seed
from distiller.training.evaluation import predict
from distiller.training.examples import encode
from distiller.training.plan import Plan, make_plan
from distiller.training.progress import TextsBar
from distiller.training.teacher import prepare


@dataclass(frozen=True)
class Saying:
    """What the teacher says of a text: a class and its probability, or a number and none."""

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
    teacher = prepare(plan, inputs.fingerprints(plan)["teacher"])
    texts = [text for split in plan.learned_from for text in split.texts]
    drawn = np.random.default_rng(pipeline.seed).permutation(len(texts))[:count]
    before = [texts[number] for number in sorted(drawn.tolist())]
    with TextsBar("augmenting", len(before) * len(plan.augmented_columns)) as bar:
        policy = Policy(pipeline.augmentation.steps)
        after = changed_texts(before, policy, plan.augmented_columns, copy_seed(pipeline.seed, 0), bar)
    read = encode([Examples([*before, *after], None)], plan.classes, plan.task, plan.teacher_reader)
    said = _sayings(predict(teacher.model, read, "teacher.model").logits, plan)
    return [*map(Changed, before, after, said[: len(before)], said[len(before) :])]


def _sayings(logits: NDArray[np.float32], plan: Plan) -> list[Saying]:
    if plan.classes is None:
        return [Saying(f"{number:.3f}", None) for number in logits[:, 0].tolist()]
    probabilities = softmax(logits, axis=1)
    return [Saying(plan.classes[int(row.argmax())], float(row.max())) for row in probabilities]
