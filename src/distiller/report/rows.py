"""The figures of a comparison, as both the terminal and the page show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

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


def finished(entries: Sequence[Entry]) -> list[Entry]:
    """Those that ended well: only they have figures."""
    return [entry for entry in entries if entry.record.status == "finished"]


def columns(entries: Sequence[Entry]) -> list[str]:
    """The titles of the columns: the teacher, then each finished student."""
    return ["teacher", *(entry.title for entry in finished(entries))]


def rows(entries: Sequence[Entry]) -> list[Row]:
    """The figures of finished runs: scores, sizes, speed and cost. The teacher's are those of the first; [] if none."""
    records = [entry.record for entry in finished(entries)]
    if not records:
        return []
    figures = [_figures(records[0], "teacher"), *(_figures(record, "student") for record in records)]
    return [Row(name, [column.get(name, "") for column in figures]) for name in figures[1]]


def _figures(record: RunRecord, side: Literal["teacher", "student"]) -> dict[str, str]:
    """One column."""
    model, latency, cost = getattr(record, side), record.latency.get(side, {}), record.cost
    primary, split = record.metrics["primary"], record.metrics["split"]
    scores = record.metrics[side][split]
    seconds = {"teacher": "finetune_seconds", "student": "train_seconds"}[side]

    def of_student(figure: Any, form: str) -> str:
        return _form(figure, form) if side == "student" else ""

    return {
        **{
            f"{name} ({split})": _form(scores[name], "{:.4f}")
            for name in sorted(scores, key=lambda name: name != primary)
        },
        "retention": of_student(record.retention, "{:.1%}"),
        "layers": _form(model.get("layers"), "{}"),
        "parameters": _form(model.get("parameters"), "{:,}"),
        "parameters, share of the teacher's": of_student(_share(record), "{:.1%}"),
        "size on disk, MB": _form(model.get("size_mb"), "{:.1f}"),
        "CPU ms per sentence, median": _form(latency.get("median_ms"), "{:.2f}"),
        "CPU ms per sentence, p95": _form(latency.get("p95_ms"), "{:.2f}"),
        "CPU sentences per second, batches of 32": _form(latency.get("sentences_per_second"), "{:.0f}"),
        "times as fast as the teacher": of_student(speed_up(record), "{:.2f}"),
        "training, seconds": _form(cost.get(seconds), "{:.0f}"),
        "training, examples per second": of_student(cost.get("examples_per_second"), "{:.0f}"),
    }


def speed_up(record: RunRecord) -> float | None:
    """How many sentences the student reads while the teacher reads one, by medians measured side by side."""
    student, teacher = (record.latency.get(side, {}).get("median_ms") for side in ("student", "teacher"))
    return teacher / student if teacher and student else None


def verdict(entries: Sequence[Entry]) -> str:
    """The result of the first run in one sentence or two, then what became of the runs that did not finish."""
    first, *others = entries
    sentences = [_result(first, finished(others))] if finished([first]) else []
    return " ".join([*sentences, *(_unfinished(entry) for entry in entries if not finished([entry]))])


def _result(entry: Entry, others: Sequence[Entry]) -> str:
    first = entry.record
    primary = first.metrics["primary"]
    retention = first.retention
    kept = f"no {primary} to speak of" if retention is None else f"{retention:.1%} of the teacher's {primary}"
    layers = f"{first.student['layers']} of {first.teacher['layers']} layers"
    faster = speed_up(first)
    sentence = f"The student keeps {kept} with {layers}" + (f", {faster:.1f} times as fast." if faster else ".")
    if not others:
        return sentence
    compared = [f"{_points(entry, other):+.1f} against {other.title!r}" for other in others]
    return f"{sentence} In points of {primary}: {'; '.join(compared)}."


def _unfinished(entry: Entry) -> str:
    error = entry.record.metrics.get("error", "no error was recorded")
    return f"The run {entry.title!r} ended as {entry.record.status}: {error}"


def _points(first: Entry, other: Entry) -> float:
    return 100 * float(first.record.metrics["score"] - other.record.metrics["score"])


def _share(record: RunRecord) -> float | None:
    student, teacher = record.student.get("parameters"), record.teacher.get("parameters")
    return student / teacher if student and teacher else None


def _form(value: Any, form: str) -> str:
    return "" if value is None else form.format(value)
