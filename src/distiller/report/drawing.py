"""How pictures are drawn: scalable, inside the page, the same bytes for the same figures; they fit light and dark."""

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

GREY = "#808080"


def figure_of(x: str, y: str, height: float = 3.2) -> tuple[Figure, Axes]:
    """An empty picture with the names of its axes."""
    figure = Figure(figsize=(7, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set_color(GREY)
    axes.tick_params(colors=GREY)
    return figure, axes


def with_legend(figure: Figure, axes: Axes) -> str:
    """The picture as SVG, with its legend."""
    legend = axes.get_legend() or axes.legend()
    legend.set_frame_on(False)
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_color(GREY)
    return as_svg(figure, axes)


def as_svg(figure: Figure, axes: Axes) -> str:
    """The picture as SVG."""
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    stream = io.StringIO()
    # Text stays text, and ids are the same each time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "distiller", "text.parse_math": False}):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    drawing = stream.getvalue()
    return drawing[drawing.index("<svg") :]
