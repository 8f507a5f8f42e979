"""A dataset ready for a run: checked, split, limited, and described."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from distiller.data.columns import Columns
from distiller.data.config import REST, DataConfig, Splits
from distiller.data.cutting import hold_out, limit
from distiller.data.examples import Examples
from distiller.data.rows import Rows
from distiller.data.sources import Source, open_source
from distiller.data.tags import all_tags
from distiller.errors import UserError
from distiller.labels import LabelKind

DEFAULT_TEXT, DEFAULT_LABEL = ["text"], "label"
QUESTION_AND_CONTEXT, ANSWERS = ["question", "context"], "answers"
"""What the Hugging Face hub calls the columns of a dataset of questions."""
WITHOUT_CLASSES = ("numbers", "answers")
NUMBER, FRACTION = re.compile(r"-?\d+(\.\d+)?"), re.compile(r"-?\d+\.\d*[1-9]\d*")
CUSTOMARY = {
    "validation": ["dev", "valid", "val", "validation_matched"],
    "test": ["test", "validation_mismatched"],
}
"""What sources call a split that the user has not named; MNLI has one of the genres of train, and one of others."""
TASK_OF = {
    "classes": "classification",
    "numbers": "regression",
    "sets": "multi-label-classification",
    "tags": "token-classification",
    "answers": "question-answering",
}


@dataclass(frozen=True)
class Dataset:
    """Examples of a run.

    Attributes:
        name: The source, as the user wrote it.
        columns: Which columns of it were read.
        train: The labelled examples to learn from.
        validation: Those that choose the best checkpoint.
        test: Those that are looked at once.
        unlabelled: Texts that only the teacher labels; None if nobody asked for them.
        classes: Those of train, sorted as numbers if all are whole numbers, else as text; None if labels are no names.
        metric: What models are customarily judged by on this source; None if the task's own metric is.
    """

    name: str
    columns: Columns
    train: Examples
    validation: Examples
    test: Examples
    unlabelled: Examples | None
    classes: list[str] | None
    metric: str | None

    @cached_property
    def overlap(self) -> dict[str, int]:
        """How many distinct texts are in two splits at once; of questions, how many of the contexts."""
        held_out = {"validation": self._distinct(self.validation), "test": self._distinct(self.test)}
        learned = {"train": self._distinct(self.train)}
        if self.unlabelled is not None:
            learned["unlabelled"] = self._distinct(self.unlabelled)
        shared = {f"{one}/{other}": len(learned[one] & held_out[other]) for one in learned for other in held_out}
        return {**shared, "validation/test": len(held_out["validation"] & held_out["test"])}

    def _distinct(self, examples: Examples) -> set[tuple[str, ...]]:
        texts = {*examples.texts}
        return {text[-1:] for text in texts} if self.columns.kind == "answers" else texts

    @cached_property
    def labelled_fingerprint(self) -> str:
        """SHA-256 of all labelled examples, split by split, in order: what a fine-tuned teacher depends on."""
        return _fingerprint([self.train, self.validation, self.test])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all examples, split by split, in order."""
        return _fingerprint([self.train, self.validation, self.test, self.unlabelled])

    def describe(self) -> dict[str, Any]:
        """What a run record says of the data."""
        words = [sum(len(text.split()) for text in texts) for texts in self.train.texts]
        counts = Counter(_names(self.train) if self.classes is not None else [])
        return {
            "source": self.name,
            "text": self.columns.text,
            "label": self.columns.label,
            "n_train": len(self.train),
            "n_validation": len(self.validation),
            "n_test": len(self.test),
            "n_unlabelled": 0 if self.unlabelled is None else len(self.unlabelled),
            "n_classes": None if self.classes is None else len(self.classes),
            "class_counts": {name: counts[name] for name in self.classes or []},
            **self._answered(),
            "mean_words": round(sum(words) / len(words), 2),
            "overlap": self.overlap,
            "fingerprint": self.fingerprint,
        }

    def _answered(self) -> dict[str, int]:
        """How many training questions have an answer; nothing where there are no questions."""
        if self.columns.kind != "answers":
            return {}
        return {"n_answered": sum(map(bool, self.train.labels or []))}


def load(config: DataConfig, labels: LabelKind, seed: int) -> Dataset:
    """Read, check and split the data of a pipeline.

    What the source lacks is cut from its training split: test first, then validation; then `limit` is applied.

    Args:
        config: The `data` part of the pipeline.
        labels: What the labels are.
        seed: Seed of all cuts.

    Raises:
        UserError: Naming the file, row or field that is wrong, and the mend.
    """
    source = open_source(config.source, "data.source")
    columns = _columns(config, source, labels)
    rows = source.read(config.splits.train)
    train = columns.examples(rows)
    classes = _classes(train, labels, rows.place) if labels not in WITHOUT_CLASSES else None
    train, test = _held_out(source, columns, classes, config.splits, "test", train, seed)
    train, validation = _held_out(source, columns, classes, config.splits, "validation", train, seed + 1)
    train, rest = _limited(train, classes, config.limit, seed + 2)
    return Dataset(
        name=source.name,
        columns=columns,
        train=train,
        validation=validation,
        test=test,
        unlabelled=_unlabelled(config, rest, columns),
        classes=classes,
        metric=source.metric if source.label_kind == labels else None,
    )


def _columns(config: DataConfig, source: Source, labels: LabelKind) -> Columns:
    asked = labels == "answers"
    label = config.label or source.label or (ANSWERS if asked else DEFAULT_LABEL)
    if label == source.label and source.label_kind not in (None, labels):
        task = TASK_OF[source.label_kind or labels]
        other = ""
        if source.label_kind == "answers":
            other = ", or write rows of another kind as .jsonl, one JSON object a line (.json is read as SQuAD has it)"
        raise UserError("task", f"the labels of {source.name} are {source.label_kind}; set task: {task}{other}")
    text = config.text or source.text or (QUESTION_AND_CONTEXT if asked else DEFAULT_TEXT)
    if asked and len(text) != 2:
        mend = "question-answering takes two columns: the question, and the text that holds its answer"
        raise UserError("data.text", f"{text[0]!r} is one column, and {mend}")
    if labels == "tags" and len(text) > 1:
        raise UserError("data.text", f"{' and '.join(text)} are two columns, and token-classification takes one")
    if label in text:
        raise UserError("data.text", f"column {label!r} is both text and label, so a model would read the answer")
    return Columns(text, label, labels)


def _classes(train: Examples, labels: LabelKind, place: str) -> list[str]:
    names = all_tags({*_names(train)}) if labels == "tags" else {*_names(train)}
    if not names:
        raise UserError(place, "has no text of any class, so there is nothing to learn; add examples of some")
    fraction = min(filter(FRACTION.fullmatch, names), default=None)
    if labels == "classes" and fraction is not None and all(map(NUMBER.fullmatch, names)):
        mend = f"has the label {fraction}, a number with a fraction: set task: regression, or name classes in words"
        raise UserError(place, mend)
    if len(names) < 2 and labels != "sets":
        raise UserError(
            place, f"has one class only ({names.pop()!r}), so there is nothing to learn; add examples of another"
        )
    if all(name.removeprefix("-").isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _names(examples: Examples) -> list[str]:
    """The classes of all examples."""
    labels = examples.labels or []
    return [str(name) for label in labels for name in (label if isinstance(label, tuple) else (label,))]


def _held_out(
    source: Source,
    columns: Columns,
    classes: Sequence[str] | None,
    splits: Splits,
    part: str,
    train: Examples,
    seed: int,
) -> tuple[Examples, Examples]:
    """(train, the split): read if the source has it, cut from train if not."""
    rows = _rows(source, columns, classes, splits, part)
    if rows is not None:
        return train, columns.examples(rows, classes)
    # Questions about one text are not parted: it would be known from training.
    contexts = [text[-1] for text in train.texts] if columns.kind == "answers" else None
    kept, held_out = hold_out(train, seed, contexts)
    if len(held_out) == 0:
        what = "texts" if contexts is None else "contexts"
        mend = f"has too few different training {what} to cut a {part} split from; add some, or name a split"
        raise UserError(source.name, mend)
    return kept, held_out


def _rows(source: Source, columns: Columns, classes: Sequence[str] | None, splits: Splits, part: str) -> Rows | None:
    """Those of validation or test: under the user's name for it, or else a customary one; None if it is to be cut."""
    name = getattr(splits, part)
    if name is not None and (name in source.splits or name != part):
        return source.read(name)
    if name != getattr(Splits(), part):
        return None
    taken = [splits.train, splits.validation, splits.test]
    found = [name for name in CUSTOMARY[part] if name in source.splits and name not in taken]
    if len(found) > 1:
        raise UserError(source.name, f"has the splits {' and '.join(found)}; name one as data.splits.{part}")
    if not found:
        return None
    rows = source.read(found[0])
    if columns.label not in rows.columns:
        mend = f"has no column {columns.label!r} to be the {part} split with; add it, or rename this split"
        raise UserError(rows.place, mend)
    return rows if columns.has_labels(rows, classes) else None


def _limited(
    train: Examples, classes: Sequence[str] | None, count: int | None, seed: int
) -> tuple[Examples, Examples | None]:
    """(at most `count` examples, the others)."""
    if count is None or count >= len(train):
        return train, None
    if classes is not None and not isinstance((train.labels or [""])[0], tuple) and count < len(classes):
        raise UserError("data.limit", f"{count} examples cannot show {len(classes)} classes; raise it to that or more")
    return limit(train, count, seed)


def _unlabelled(config: DataConfig, rest: Examples | None, columns: Columns) -> Examples | None:
    if config.unlabelled is None:
        return None
    if config.unlabelled == REST:
        if rest is None:
            raise UserError("data.unlabelled", "rest is what data.limit leaves of train; set data.limit below its size")
        return rest.without_labels()
    source = open_source(config.unlabelled, "data.unlabelled")
    rows = _unlabelled_rows(source, config.splits.train)
    return Examples(columns.texts(rows, _unlabelled_text(source, rows, columns)), None)


def _unlabelled_text(source: Source, rows: Rows, columns: Columns) -> list[str]:
    """The columns of the labelled data, where the source has them; else its own."""
    text = columns.text if set(columns.text) <= {*rows.columns} else source.text or DEFAULT_TEXT
    mend = "name columns that both have with data.text, or give another source"
    if len(text) != len(columns.text):
        problem = f"its text is {' and '.join(text)}, that of the labelled data {' and '.join(columns.text)}"
        raise UserError("data.unlabelled", f"{problem}; {mend}")
    if not set(text) <= {*rows.columns}:
        problem = f"{rows.place} has no column {' or '.join(columns.text)}, only {', '.join(rows.columns)}"
        raise UserError("data.unlabelled", f"{problem}; {mend}")
    return text


def _unlabelled_rows(source: Source, train: str) -> Rows:
    """Those of the split that is called as in the labelled data, or else train."""
    names = [name for name in (train, "train") if name in source.splits]
    if not names:
        mend = f"{source.name} has no split train, only {', '.join(source.splits)}; give one that has, or a file"
        raise UserError("data.unlabelled", mend)
    return source.read(names[0])


def _fingerprint(splits: Sequence[Examples | None]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        content = None if split is None else [split.texts, split.labels]
        digest.update(json.dumps(content, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
