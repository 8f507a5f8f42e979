"""Datasets made of a few rows, without a file."""

from collections.abc import Sequence
from typing import Any

from distiller.data import Dataset, Examples
from distiller.data.columns import Columns
from distiller.data.dataset import WITHOUT_CLASSES
from distiller.data.tags import all_tags
from distiller.labels import LabelKind


def dataset_of(
    texts: Sequence[tuple[str, ...]], labels: Sequence[Any], kind: LabelKind = "classes", held_out: str = "other"
) -> Dataset:
    """Training examples, and one text each in the other splits."""
    names = {name for label in labels for name in (label if isinstance(label, tuple) else (label,))}
    classes = None if kind in WITHOUT_CLASSES else sorted(all_tags(names) if kind == "tags" else names)
    rest = Examples([(held_out,) * len(texts[0])], [labels[0]])
    columns = Columns(["text", "other"][: len(texts[0])], "label", kind)
    return Dataset("made", columns, Examples([*texts], [*labels]), rest, rest, None, classes, None)
