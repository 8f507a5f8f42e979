"""How pictures are drawn: scalable, the same bytes for the same figures, and every mark says what it is if pointed at.

What matplotlib draws in black takes the colour of the text around it, so that a picture fits light and dark pages; the
other colours have a contrast of at least 3 with both.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

GREY = "#808080"
COLOURS = ("#1F83B4", "#D55E00", "#009E73", "#CC79A7", "#8B6CC4", "#A6761D", "#12A2A8", "#808080")
MARKERS = "osD^vPX*"
DARK, LIGHT = "#010101", "#ffffff"
"""What is written on coloured cells, whatever the page is like: black itself would take its colour."""
SMALL = 9
WIDTH = 4.8
DOTS_PER_INCH = 200
LINE, WHOLE_LINE = 52, 62
"""So many small characters stand beside each other, right of the names of rows and over the whole width."""
LEGEND_ROW = 0.18

LONGEST_SLANTING = 22
AS_DARK_AS_LIGHT = 0.179
"""The luminance with which black and white contrast alike."""
Colour = tuple[float, float, float, float]

TIP = "tip: "
SVG, LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes:
        name: Tells it from the others of its page; its copies are called so.
        caption: What it shows, and how it is read.
        figure: The drawing.
    """

    name: str
    caption: str
    figure: Figure

    def inline(self) -> Markup:
        """As a part of a page. Its marks are reached with the Tab key, all but the first with the arrow keys."""
        root = self._drawn("none")
        root.set("fill", "currentColor")
        root.set("role", "group")
        root.set("aria-label", self.caption)
        for place, element in enumerate(root.findall(".//*[@class='mark']")):
            element.set("tabindex", "0" if place == 0 else "-1")
            element.set("role", "img")
        for element in root.iter():
            if "style" in element.attrib:
                element.set("style", element.attrib["style"].replace("#000000", "currentColor"))
        return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704

    def save(self, folder: Path) -> None:
        """Leave copies on white in `folder`, as SVG and PNG."""
        copy = ElementTree.tostring(self._drawn("white"), encoding="unicode")
        (folder / f"{self.name}.svg").write_text(copy + "\n", encoding="utf-8")
        with _style():
            path = folder / f"{self.name}.png"
            self.figure.savefig(path, dpi=DOTS_PER_INCH, facecolor="white", metadata={"Software": None})

    def _drawn(self, background: str) -> ElementTree.Element:
        """The tree of the SVG: marks have titles, and ids are none that another picture of the page has."""
        for text in self.figure.findobj(Text):
            text.set(parse_math=False)
        stream = io.StringIO()
        with _style():
            self.figure.savefig(stream, format="svg", facecolor=background, metadata={"Date": None})
        root = ElementTree.fromstring(NOT_IN_XML.sub("\ufffd", stream.getvalue()))  # noqa: S314
        root.remove(next(iter(root.findall(f"{{{SVG}}}metadata"))))
        for element in [*root.iter()]:
            _name_apart(element, self.name)
        return root


def _style() -> Any:
    # Text stays text, and ids are the same each time.
    return mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "distiller", "text.parse_math": False})


def _name_apart(element: ElementTree.Element, name: str) -> None:
    own = element.attrib.pop("id", None)
    for key, value in element.attrib.items():
        element.set(key, value.replace("url(#", f"url(#{name}-"))
    if element.get(LINK, "").startswith("#"):
        element.set(LINK, f"#{name}-{element.attrib[LINK][1:]}")
    if own is None:
        return
    if not own.startswith(TIP):
        element.set("id", f"{name}-{own}")
        return
    title = ElementTree.Element(f"{{{SVG}}}title")
    title.text = own.removeprefix(TIP)
    element.insert(0, title)
    element.set("class", "mark")


def figure_of(x: str, y: str, height: float = 3.2) -> tuple[Figure, Axes]:
    """An empty picture with the names of its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(color=COLOURS)
    axes.set_facecolor("none")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL)
    return figure, axes


def lanes(x: str, heights: Sequence[float]) -> tuple[Figure, Axes]:
    """An empty picture of rows from top to bottom, in which one unit downwards is an inch.

    Args:
        x: The name of the axis that all share.
        heights: Of the rows, in inches.
    """
    figure, axes = figure_of(x, "", height=0.8 + sum(heights))
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return figure, axes


def lane_label(axes: Axes, y: float, text: str, weight: str = "normal") -> None:
    """Write what a row is above what it holds, since names may be long and screens narrow."""
    axes.text(0, y, text, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="center", fontweight=weight)


def mark(artist: Artist, tip: str) -> None:
    """Let what is drawn say `tip` when it is pointed at or comes into focus."""
    artist.set_gid(TIP + " ".join(tip.split()))


def dot(axes: Axes, x: float, y: float, tip: str, **style: Any) -> None:
    """Draw one value that says `tip`."""
    (drawn,) = axes.plot([x], [y], **{"linestyle": "none", "marker": "o", "markersize": 5, **style})
    mark(drawn, tip)


def interval(axes: Axes, x: Sequence[float], y: Sequence[float], tip: str, **style: Any) -> None:
    """Draw an estimate with a line from its lower to its upper end; either `x` or `y` is as `ends` gives it."""
    (drawn,) = axes.plot(
        x, y, **{"marker": "o", "markersize": 5, "linewidth": 1.6, "markevery": [1], "clip_on": False, **style}
    )
    mark(drawn, tip)


def ends(low: float, value: float, high: float) -> list[float]:
    """The three places that an interval is drawn through; an end that is not known is where the value is."""
    return [value if math.isnan(end) else end for end in (low, value, high)]


def tile(axes: Axes, place: tuple[float, float], text: str, tip: str, colour: Colour, height: float = 1.0) -> None:
    """Draw a coloured cell about a place that says `tip`, with `text` in it."""
    x, y = place
    square = Rectangle((x - 0.5, y - height / 2), 1, height, facecolor=colour, edgecolor=GREY, linewidth=0.5)
    mark(axes.add_patch(square), tip)
    shade = DARK if _luminance(colour) > AS_DARK_AS_LIGHT else LIGHT
    axes.text(x, y, text, ha="center", va="center", fontsize=SMALL, color=shade, linespacing=1.1)


def _luminance(colour: Colour) -> float:
    """Of a colour, as the Web Content Accessibility Guidelines define it."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def named_tiles(axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Fit the axes to cells at whole numbers, and name these."""
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    name_ticks(axes, columns)
    axes.set_yticks(range(len(rows)), labels=rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def name_ticks(axes: Axes, names: Sequence[str]) -> None:
    """Name what stands at 0, 1, 2 … on two lines each if that is enough, else slanting."""
    room = LINE // len(names) - 1
    lines = [wrapped(name, room) for name in names]
    if not any("…" in line for line in lines):
        axes.set_xticks(range(len(names)), labels=lines)
        return
    slanting = [short(name, LONGEST_SLANTING) for name in names]
    axes.set_xticks(range(len(names)), labels=slanting, rotation=35, ha="right", rotation_mode="anchor")


def in_per_cent(axis: Axis) -> None:
    """Let shares be read as per cent."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:g}%")


def legend_below(figure: Figure, axes: Axes, title: str = "") -> None:
    """Tell the lines and marks of the picture apart, below it, where nothing else is."""
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    widths = [len(label) + 6 for label in labels]
    columns = len(labels) if sum(widths) <= WHOLE_LINE + 6 else max(1, WHOLE_LINE // max(widths))
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * math.ceil(len(labels) / columns))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        frameon=False,
        fontsize=SMALL,
        handlelength=1.4,
        columnspacing=1.2,
        title=title,
        title_fontproperties={"size": SMALL, "weight": "bold"},
    )


def short(text: object, longest: int) -> str:
    """On one line, the middle left out where it is too long."""
    line = " ".join(str(text).split())
    if len(line) <= longest:
        return line
    end = (longest - 1) // 2
    return f"{line[: longest - 1 - end]}…{line[len(line) - end :]}"


def wrapped(text: object, width: int, lines: int = 2) -> str:
    """On so many lines of so many characters, broken where words or their parts end; what is too long is cut."""
    parts = [part for part in re.split(r"(?<=[\s_./-])", " ".join(str(text).split())) if part]
    found: list[str] = []
    for part in parts:
        if found and len((found[-1] + part).rstrip()) <= width:
            found[-1] += part
            continue
        found.append(part)
    if len(found) > lines:
        found[lines - 1 :] = ["".join(found[lines - 1 :])]
    return "\n".join(short(line, width) for line in found)
