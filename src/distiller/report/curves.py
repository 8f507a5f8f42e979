"""How the runs went, as pictures."""

import math
from collections.abc import Sequence

from distiller.report.drawing import GREY, as_svg, figure_of, with_legend
from distiller.report.rows import Entry

MUTUAL_INFORMATION, MAPPING = "mutual_information.", "mapping."
LEGEND_FITS = 8
LOWEST_NATS = -0.5
"""Mutual information is never negative: a bound below 0 says nothing, however far below."""


def validation(entries: Sequence[Entry]) -> str | None:
    """The primary metric on validation after each epoch, with the teacher's as a dashed line; None if there is none."""
    primary = entries[0].record.metrics.get("primary")
    curves = {entry.title: _points(entry, "epoch", f"eval_{primary}") for entry in entries}
    if primary is None or not any(curves.values()):
        return None
    figure, axes = figure_of("epoch", f"validation {primary}")
    for title, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=title)
    teacher = entries[0].record.metrics["teacher"]["validation"][primary]
    axes.axhline(teacher, linestyle="--", color=GREY, label="teacher")
    return with_legend(figure, axes)


def loss(entry: Entry) -> str | None:
    """The weighted terms of the loss over the steps; None if none was logged.

    Balanced terms are about 1 all the time, so of these the terms as they came are drawn, by orders of magnitude.
    """
    history = entry.record.metrics.get("history", [])
    terms = sorted({name for step in history for name in step if _is_term(name)})
    if not terms:
        return None
    balanced = entry.record.pipeline.get("objective", {}).get("balance") == "ema"
    figure, axes = figure_of("step", "loss before it is balanced" if balanced else "weighted loss")
    for term in terms:
        axes.plot(*zip(*_points(entry, "step", f"raw.{term}" if balanced else term), strict=True), label=term)
    if balanced:
        axes.set_yscale("symlog", linthresh=1e-3)
    return with_legend(figure, axes)


def mutual_information(entry: Entry) -> str | None:
    """What bounds show of each teacher layer in each student layer, in nats, over the steps; None if there are none.

    A colour a student layer; the higher the teacher layer, the darker.
    """
    names = _pairs(entry, MUTUAL_INFORMATION)
    if not names:
        return None
    figure, axes = figure_of("step", "mutual information, nats")
    highest = max(teacher for _, teacher in names.values())
    for name, (student, teacher) in names.items():
        points = zip(*_points(entry, "step", name), strict=True)
        shade = 0.25 + 0.75 * teacher / max(highest, 1)
        axes.plot(*points, color=f"C{student}", alpha=shade, label=f"{student} of {teacher}")
    texts = entry.record.pipeline.get("training", {}).get("batch_size")
    if texts:
        axes.axhline(math.log(texts), linestyle=":", color=GREY, label=f"log {texts}")
    lowest, _ = axes.get_ylim()
    axes.set_ylim(bottom=max(lowest, LOWEST_NATS))
    columns = math.ceil(len(names) / LEGEND_FITS)
    axes.legend(title="student of teacher layer", ncols=columns, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return with_legend(figure, axes)


def mapping(entry: Entry) -> str | None:
    """How much each pair of layers weighed when it was last logged, where that varies; None if it does not."""
    names = _pairs(entry, MAPPING)
    if not names:
        return None
    students, teachers = (sorted({pair[side] for pair in names.values()}) for side in (0, 1))
    weights = [[0.0] * len(teachers) for _ in students]
    figure, axes = figure_of("teacher layer", "student layer")
    for name, (student, teacher) in names.items():
        row, column = students.index(student), teachers.index(teacher)
        weights[row][column] = _points(entry, "step", name)[-1][1]
        axes.text(column, row, f"{weights[row][column]:.2f}", ha="center", va="center", color=GREY)
    axes.imshow(weights, cmap="Blues", vmin=0.0, aspect="auto")
    axes.set_xticks(range(len(teachers)), labels=[str(layer) for layer in teachers])
    axes.set_yticks(range(len(students)), labels=[str(layer) for layer in students])
    return as_svg(figure, axes)


def _pairs(entry: Entry, prefix: str) -> dict[str, tuple[int, int]]:
    """What was logged of layer pairs under `prefix`: student and teacher layer by name."""
    history = entry.record.metrics.get("history", [])
    names = {name for step in history for name in step if name.startswith(prefix)}
    return dict(sorted(((name, _layers(name.removeprefix(prefix))) for name in names), key=lambda item: item[1]))


def _layers(pair: str) -> tuple[int, int]:
    student, teacher = pair.split("-")
    return int(student), int(teacher)


def _is_term(name: str) -> bool:
    return name == "hard_label" or name.startswith(("prediction.", "intermediate."))


def _points(entry: Entry, x: str, y: str) -> list[tuple[float, float]]:
    return [(step[x], step[y]) for step in entry.record.metrics.get("history", []) if x in step and y in step]
