"""Copies of the training texts that augmentation has changed; the teacher alone labels them."""

from collections.abc import Sequence
from typing import cast

from rich.console import Console

from distiller import augment
from distiller.augment import Policy
from distiller.data import Examples
from distiller.labels import Answer
from distiller.training.plan import Plan
from distiller.training.progress import TextsBar

Kept = tuple[int, int] | None
"""The first character of what is kept, and that after its last."""
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
    texts, kept = texts_and_what_is_kept(plan)
    columns = plan.augmented_columns
    with TextsBar("augmenting", config.copies * parts_to_change(texts, kept, columns)) as bar:
        copies = _copies(texts, kept, Policy(config.steps), config.copies, columns, plan.pipeline.seed, bar)
    lacking = len(texts) * config.copies - len(copies)
    if lacking > 0:
        line = f"augmentation: {len(copies)} copies of {len(texts)} texts; {lacking} more would be like others"
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    return Examples(copies, None)


def texts_and_what_is_kept(plan: Plan) -> tuple[list[tuple[str, ...]], list[Kept]]:
    """The training texts, labelled and not; and of each which characters of its last column are not touched.

    These are the pieces between spaces of which an answer is made: it is in the copy as it was in the text.
    """
    texts = [text for split in plan.learned_from for text in split.texts]
    if plan.task.label_kind != "answers":
        return texts, [None] * len(texts)
    labels = [label for split in plan.learned_from for label in split.labels or [None] * len(split)]
    return texts, [
        _between_spaces(text[-1], cast("Answer", label[0])) if isinstance(label, tuple) and label else None
        for text, label in zip(texts, labels, strict=True)
    ]


def _between_spaces(text: str, answer: Answer) -> tuple[int, int]:
    """From the white space before an answer to that behind it, or to the ends of the text."""
    end = answer.start + len(answer.text)
    before, after = text[: answer.start], text[end:]
    attached = 0 if not before or before[-1].isspace() else len(before.split()[-1])
    follows = 0 if not after or after[0].isspace() else len(after.split()[0])
    return answer.start - attached, end + follows


def _copies(
    texts: Sequence[tuple[str, ...]],
    kept: Sequence[Kept],
    policy: Policy,
    wanted: int,
    columns: Sequence[int],
    seed: int,
    bar: TextsBar,
) -> list[tuple[str, ...]]:
    """Attempt after attempt, each with its own seed, in the order of the texts."""
    found: list[list[tuple[str, ...]]] = [[] for _ in texts]
    for attempt in range(wanted + FURTHER_ATTEMPTS):
        lacking = [number for number, copies in enumerate(found) if len(copies) < wanted]
        if not lacking:
            break
        some, untouched = [texts[number] for number in lacking], [kept[number] for number in lacking]
        changed = changed_texts(some, untouched, policy, columns, copy_seed(seed, attempt), bar)
        for number, copy in zip(lacking, changed, strict=True):
            if copy != texts[number] and copy not in found[number]:
                found[number].append(copy)
    return [copy for copies in found for copy in copies]


def parts_to_change(texts: Sequence[tuple[str, ...]], kept: Sequence[Kept], columns: Sequence[int]) -> int:
    """How many texts a policy gets: what stands before and after what is kept are two."""
    twice = sum(span is not None for span in kept) if texts and len(texts[0]) - 1 in columns else 0
    return len(texts) * len(columns) + twice


def copy_seed(seed: int, attempt: int) -> int:
    """Of one attempt at a copy."""
    return augment.derived_seed(seed, "copy", attempt)


def changed_texts(
    texts: Sequence[tuple[str, ...]],
    kept: Sequence[Kept],
    policy: Policy,
    columns: Sequence[int],
    seed: int,
    bar: TextsBar,
) -> list[tuple[str, ...]]:
    """Each with what the policy makes of the chosen columns, but for what is kept of the last; others as they are."""
    sides = [[*side] for side in zip(*texts, strict=True)]
    nothing = [None] * len(texts)
    for column in columns:
        untouched = kept if column == len(sides) - 1 else nothing
        sides[column] = _changed(sides[column], untouched, policy, augment.derived_seed(seed, column), bar)
    return [*zip(*sides, strict=True)]


def _changed(texts: Sequence[str], kept: Sequence[Kept], policy: Policy, seed: int, bar: TextsBar) -> list[str]:
    """What stands before the characters that are kept is a text of its own for the policy, and so is what follows."""
    parts = [_parts(text, span) for text, span in zip(texts, kept, strict=True)]
    changed = iter(policy([part for of_one in parts for part in of_one[::2]], seed, bar.advance))
    return ["".join(part if place % 2 else next(changed) for place, part in enumerate(of_one)) for of_one in parts]


def _parts(text: str, kept: Kept) -> list[str]:
    """In the order of the text: every second one stays as it is, the others have no white space at their ends."""
    if kept is None:
        return [text]
    before, after = text[: kept[0]], text[kept[1] :]
    start, end = len(before.rstrip()), len(after) - len(after.lstrip())
    middle = before[start:] + text[kept[0] : kept[1]] + after[:end]
    return [before[:start], middle, after[end:]]
