"""Copies of the training texts that augmentation has changed; the teacher alone labels them."""

from collections.abc import Sequence

from rich.console import Console

from distiller import augment
from distiller.augment import Policy
from distiller.data import Examples
from distiller.training.plan import Plan
from distiller.training.progress import TextsBar

FURTHER_ATTEMPTS = 4
"""So often a copy is made anew that came out as one that is there, or as the text itself."""


def augmented(plan: Plan) -> Examples | None:
    """The copies of all training texts, labelled and not; None if nobody asked for any.

    Of each text as many as asked for, all different from each other and from the text, as far as the policy makes so
    many: what it does not is left out, and said.

    Raises:
        UserError: If what a step works with is not there, or fails.
    """
    config = plan.pipeline.augmentation
    if not config.steps:
        return None
    texts = [text for split in plan.learned_from for text in split.texts]
    columns = plan.augmented_columns
    with TextsBar("augmenting", len(texts) * config.copies * len(columns)) as bar:
        copies = _copies(texts, Policy(config.steps), config.copies, columns, plan.pipeline.seed, bar)
    lacking = len(texts) * config.copies - len(copies)
    if lacking > 0:
        line = f"augmentation: {len(copies)} copies of {len(texts)} texts; {lacking} more would be like others"
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    return Examples(copies, None)


def _copies(
    texts: Sequence[tuple[str, ...]], policy: Policy, wanted: int, columns: Sequence[int], seed: int, bar: TextsBar
) -> list[tuple[str, ...]]:
    """Attempt after attempt, each with its own seed, in the order of the texts."""
    found: list[list[tuple[str, ...]]] = [[] for _ in texts]
    for attempt in range(wanted + FURTHER_ATTEMPTS):
        lacking = [number for number, copies in enumerate(found) if len(copies) < wanted]
        if not lacking:
            break
        changed = changed_texts([texts[number] for number in lacking], policy, columns, copy_seed(seed, attempt), bar)
        for number, copy in zip(lacking, changed, strict=True):
            if copy != texts[number] and copy not in found[number]:
                found[number].append(copy)
    return [copy for copies in found for copy in copies]


def copy_seed(seed: int, attempt: int) -> int:
    """Of one attempt at a copy."""
    return augment.derived_seed(seed, "copy", attempt)


def changed_texts(
    texts: Sequence[tuple[str, ...]], policy: Policy, columns: Sequence[int], seed: int, bar: TextsBar
) -> list[tuple[str, ...]]:
    """Each with what the policy makes of the chosen columns; the others as they are."""
    sides = [[*side] for side in zip(*texts, strict=True)]
    for column in columns:
        sides[column] = policy(sides[column], augment.derived_seed(seed, column), bar.advance)
    return [*zip(*sides, strict=True)]
