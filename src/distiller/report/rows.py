"""The figures of a comparison, as both the terminal and the page show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distiller.runs import RunRecord


@dataclass(frozen=True)
class Entry:
    """A run, and what it is called beside others."""

    title: str
    record: RunRecord


@dataclass(frozen=True)
class Row:
    """One figure for the teacher, then for each student; empty where there is none."""

    name: str
    cells: list[str]


def columns(entries: Sequence[Entry]) -> list[str]:
    """The titles of the columns: the teacher, then each student."""
    return ["teacher", *(entry.title for entry in entries)]


def rows(entries: Sequence[Entry]) -> list[Row]:
    """The figures of finished runs: scores, sizes, speed and cost. The teacher's are those of the first run."""
    records = [entry.record for entry in entries]
    first = records[0]
    sides = [(first, "teacher"), *((record, "student") for record in records)]
    primary, split = first.metrics["primary"], first.metrics["split"]
    others = [name for name in first.metrics["teacher"][split] if name != primary]

    def row(name: str, form: str, *path: str) -> Row:
        return Row(name, [_form(_at(_section(record, side, path[0]), *path[1:]), form) for record, side in sides])

    def of_students(name: str, form: str, *path: str) -> Row:
        return Row(name, ["", *(_form(_at(record.model_dump(), *path), form) for record in records)])

    trained = of_students("", "{:.0f}", "cost", "train_seconds")
    return [
        row(f"{primary} ({split})", "{:.4f}", "metrics", split, primary),
        *(row(f"{name} ({split})", "{:.4f}", "metrics", split, name) for name in others),
        of_students("retention", "{:.1%}", "retention"),
        row("layers", "{}", "model", "layers"),
        row("parameters", "{:,}", "model", "parameters"),
        row("size on disk, MB", "{:.1f}", "model", "size_mb"),
        row("CPU ms per sentence, median", "{:.2f}", "latency", "median_ms"),
        row("CPU ms per sentence, p95", "{:.2f}", "latency", "p95_ms"),
        row("CPU sentences per second, batches of 32", "{:.0f}", "latency", "sentences_per_second"),
        Row("times as fast as the teacher", ["", *(_form(speed_up(record), "{:.2f}") for record in records)]),
        Row("training, seconds", [_form(first.cost.get("finetune_seconds"), "{:.0f}"), *trained.cells[1:]]),
        of_students("training, examples per second", "{:.0f}", "cost", "examples_per_second"),
    ]


def speed_up(record: RunRecord) -> float | None:
    """How many sentences the student reads while the teacher reads one, by medians measured side by side."""
    student, teacher = (_at(record.latency, name, "median_ms") for name in ("student", "teacher"))
    return teacher / student if teacher and student else None


def verdict(entries: Sequence[Entry]) -> str:
    """The result in one sentence or two."""
    first = entries[0].record
    if first.status != "finished":
        return f"The run has {first.status}: {first.metrics.get('error', 'no error was recorded')}"
    primary = first.metrics["primary"]
    kept = (
        f"{first.retention:.1%} of the teacher's {primary}"
        if first.retention is not None
        else f"no {primary} to speak of"
    )
    layers = f"{first.student['layers']} of {first.teacher['layers']} layers"
    faster = speed_up(first)
    sentence = f"The student keeps {kept} with {layers}" + (f", {faster:.1f} times as fast." if faster else ".")
    if len(entries) == 1:
        return sentence
    compared = [f"{_points(entries[0], other):+.1f} over {other.title!r}" for other in entries[1:]]
    return f"{sentence} Points of {primary} that it gains: {'; '.join(compared)}."


def _points(first: Entry, other: Entry) -> float:
    return 100 * float(first.record.metrics["score"] - other.record.metrics["score"])


def _section(record: RunRecord, side: str, name: str) -> dict[str, Any]:
    if name == "model":
        return record.teacher if side == "teacher" else record.student
    part: dict[str, Any] = getattr(record, name)
    return dict(part.get(side, {}))


def _at(content: Any, *path: str) -> Any:
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _form(value: Any, form: str) -> str:
    return "" if value is None else form.format(value)
