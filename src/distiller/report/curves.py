"""How the runs went, as pictures."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distiller.report.drawing import COLOURS, GREY, dot, figure_of, legend_below, mark, named_tiles, tile
from distiller.report.rows import Entry

MUTUAL_INFORMATION, MAPPING = "mutual_information.", "mapping."
LOWEST_NATS = -0.5
"""Mutual information is never negative: a bound below 0 says nothing, however far below."""


def validation(entries: Sequence[Entry]) -> Figure | None:
    """The primary metric on validation after each epoch, with the teacher's as a dashed line; None if there is none."""
    primary = entries[0].record.metrics.get("primary")
    curves = {entry.title: _points(entry, "epoch", f"eval_{primary}") for entry in entries}
    if primary is None or not any(curves.values()):
        return None
    figure, axes = figure_of("epoch", f"validation {primary}")
    for place, (title, points) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(*zip(*points, strict=True), color=colour, label=title)
        for epoch, score in points:
            dot(axes, epoch, score, f"{title}, epoch {epoch:g}: {score:.4f}", color=colour)
    teacher = entries[0].record.metrics["teacher"]["validation"][primary]
    line = axes.axhline(teacher, linestyle="--", color=GREY, label="teacher")
    mark(line, f"teacher: {teacher:.4f}")
    legend_below(figure, axes)
    return figure


def loss(entry: Entry) -> Figure | None:
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
        _line(axes, _points(entry, "step", f"raw.{term}" if balanced else term), term, term)
    if balanced:
        axes.set_yscale("symlog", linthresh=1e-3)
        axes.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, axes)
    return figure


def mutual_information(entry: Entry) -> Figure | None:
    """What bounds show of each teacher layer in each student layer, in nats, over the steps; None if there are none.

    A colour a student layer; the higher the teacher layer, the darker.
    """
    names = _pairs(entry, MUTUAL_INFORMATION)
    if not names:
        return None
    figure, axes = figure_of("step", "mutual information, nats")
    highest = max(teacher for _, teacher in names.values())
    for name, (student, teacher) in names.items():
        style = {"color": COLOURS[student % len(COLOURS)], "alpha": 0.4 + 0.6 * teacher / max(highest, 1)}
        tip = f"student layer {student} of teacher layer {teacher}"
        _line(axes, _points(entry, "step", name), f"{student} of {teacher}", tip, **style)
    texts = entry.record.pipeline.get("training", {}).get("batch_size")
    if texts:
        axes.axhline(math.log(texts), linestyle=":", color=GREY, label=f"log {texts}")
    lowest, _ = axes.get_ylim()
    axes.set_ylim(bottom=max(lowest, LOWEST_NATS))
    legend_below(figure, axes, "student of teacher layer")
    return figure


def mapping(entry: Entry) -> Figure | None:
    """How much each pair of layers weighed when it was last logged, where that varies; None if it does not."""
    names = _pairs(entry, MAPPING)
    if not names:
        return None
    students, teachers = (sorted({pair[side] for pair in names.values()}) for side in (0, 1))
    weights = {pair: _points(entry, "step", name)[-1][1] for name, pair in names.items()}
    figure, axes = figure_of("teacher layer", "student layer")
    most = max(weights.values()) or 1.0
    for (student, teacher), weight in weights.items():
        place = (teachers.index(teacher), students.index(student))
        tip = f"student layer {student}, teacher layer {teacher}: {weight:.2f}"
        tile(axes, place, f"{weight:.2f}", tip, mpl.colormaps["Blues"](weight / most))
    named_tiles(axes, [str(layer) for layer in teachers], [str(layer) for layer in students])
    return figure


def _line(axes: Axes, points: Sequence[tuple[float, float]], label: str, tip: str, **style: Any) -> None:
    (line,) = axes.plot(*zip(*points, strict=True), label=label, **style)
    step, value = points[-1]
    mark(line, f"{tip}: {value:.4g} at step {step:g}, the last")


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
