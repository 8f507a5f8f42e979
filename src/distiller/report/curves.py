"""How the runs went, as pictures: scalable, inside the page, the same bytes for the same record."""

import io
import math
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from distiller.report.rows import Entry

GREY = "#808080"
MUTUAL_INFORMATION = "mutual_information."
LEGEND_FITS = 8
LOWEST_NATS = -0.5
"""Mutual information is never negative: a bound below 0 says nothing, however far below."""


def validation(entries: Sequence[Entry]) -> str | None:
    """The primary metric on validation after each epoch, with the teacher's as a dashed line; None if there is none."""
    primary = entries[0].record.metrics.get("primary")
    curves = {entry.title: _points(entry, "epoch", f"eval_{primary}") for entry in entries}
    if primary is None or not any(curves.values()):
        return None
    figure, axes = _figure("epoch", f"validation {primary}")
    for title, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=title)
    teacher = entries[0].record.metrics["teacher"]["validation"][primary]
    axes.axhline(teacher, linestyle="--", color=GREY, label="teacher")
    return _svg(figure, axes)


def loss(entry: Entry) -> str | None:
    """The weighted terms of the loss over the steps; None if none was logged.

    Balanced terms are about 1 all the time, so of these the terms as they came are drawn, by orders of magnitude.
    """
    history = entry.record.metrics.get("history", [])
    terms = sorted({name for step in history for name in step if _is_term(name)})
    if not terms:
        return None
    balanced = entry.record.pipeline.get("objective", {}).get("balance") == "ema"
    figure, axes = _figure("step", "loss before it is balanced" if balanced else "weighted loss")
    for term in terms:
        axes.plot(*zip(*_points(entry, "step", f"raw.{term}" if balanced else term), strict=True), label=term)
    if balanced:
        axes.set_yscale("symlog", linthresh=1e-3)
    return _svg(figure, axes)


def mutual_information(entry: Entry) -> str | None:
    """How much of each teacher layer each student layer holds, in nats, over the steps; None if nobody estimated it."""
    history = entry.record.metrics.get("history", [])
    names = sorted({name for step in history for name in step if name.startswith(MUTUAL_INFORMATION)}, key=_layers)
    if not names:
        return None
    figure, axes = _figure("step", "mutual information, nats")
    for name in names:
        student, teacher = _layers(name)
        axes.plot(*zip(*_points(entry, "step", name), strict=True), label=f"{student} of {teacher}")
    lowest, _ = axes.get_ylim()
    axes.set_ylim(bottom=max(lowest, LOWEST_NATS))
    columns = math.ceil(len(names) / LEGEND_FITS)
    axes.legend(title="student of teacher layer", ncols=columns, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _svg(figure, axes)


def _layers(name: str) -> tuple[int, int]:
    student, teacher = name.removeprefix(MUTUAL_INFORMATION).split("-")
    return int(student), int(teacher)


def _is_term(name: str) -> bool:
    return name == "hard_label" or name.startswith(("prediction.", "intermediate."))


def _points(entry: Entry, x: str, y: str) -> list[tuple[float, float]]:
    return [(step[x], step[y]) for step in entry.record.metrics.get("history", []) if x in step and y in step]


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set_color(GREY)
    axes.tick_params(colors=GREY)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    legend = axes.get_legend() or axes.legend()
    legend.set_frame_on(False)
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_color(GREY)
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    stream = io.StringIO()
    # Text stays text, and ids are the same each time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "distiller", "text.parse_math": False}):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    drawing = stream.getvalue()
    return drawing[drawing.index("<svg") :]
