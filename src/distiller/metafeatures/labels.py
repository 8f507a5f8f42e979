"""What the labels of a dataset are like."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from distiller.labels import Answer, LabelKind
from distiller.metafeatures.words import words_of
from distiller.words import OUTSIDE


def label_features(labels: Sequence[Any], kind: LabelKind, classes: Sequence[str] | None) -> dict[str, float | None]:
    """Of all training examples.

    Args:
        labels: One for each, at least one.
        kind: What they are.
        classes: Of the dataset; None if labels are no names.
    """
    return {
        "n_classes": None if classes is None else len(classes),
        **_balance(labels, kind, classes or []),
        **_answers(labels if kind == "answers" else []),
    }


def _balance(labels: Sequence[Any], kind: LabelKind, classes: Sequence[str]) -> dict[str, float | None]:
    counts = Counter(name for label in labels for name in (label if isinstance(label, tuple) else (label,)))
    if not classes or not counts:
        return dict.fromkeys(("label_entropy", "largest_class_share", "entity_share"))
    # In order of size, so that rounding does not depend on which class came first.
    shares = np.sort([*counts.values()]) / counts.total()
    entropy = float((shares * np.log(1 / shares)).sum())
    return {
        "label_entropy": entropy / float(np.log(len(classes))) if len(classes) > 1 else None,
        "largest_class_share": max(counts.values()) / (len(labels) if kind == "sets" else counts.total()),
        "entity_share": 1 - counts[OUTSIDE] / counts.total() if OUTSIDE in classes and kind == "tags" else None,
    }


def _answers(labels: Sequence[tuple[Answer, ...]]) -> dict[str, float | None]:
    if not labels:
        return {"unanswered_share": None, "answer_words": None}
    lengths = [len(words_of(answers[0].text)) for answers in labels if answers]
    return {
        "unanswered_share": 1 - len(lengths) / len(labels),
        "answer_words": sum(lengths) / len(lengths) if lengths else None,
    }
