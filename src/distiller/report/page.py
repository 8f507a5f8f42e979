"""The page: one file that needs nothing else, with everything escaped."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from distiller.files import write_text
from distiller.report import curves
from distiller.report.rows import Entry, columns, finished, rows, verdict

TRANSFERRED = (
    "How much of the teacher's layers the student's hold: lower bounds, each estimated on the texts of a batch in "
    "training; below 0 a bound says nothing"
)


def write(entries: Sequence[Entry], path: Path) -> None:
    """Write the report of some runs atomically; the first is the one that it is about.

    Args:
        entries: Runs with the same teacher and data.
        path: The HTML file.
    """
    environment = Environment(
        loader=PackageLoader("distiller.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    first = entries[0].record
    write_text(
        path,
        environment.get_template("page.html.jinja").render(
            verdict=verdict(entries),
            columns=columns(entries),
            rows=rows(entries),
            pictures=_pictures(finished(entries)),
            record=first,
            warnings=_warnings(first.data.get("overlap", {})),
            pipeline=yaml.safe_dump(first.pipeline, sort_keys=False, allow_unicode=True),
        ),
    )


def _pictures(entries: Sequence[Entry]) -> list[tuple[str, Markup]]:
    """Captions and drawings. matplotlib escapes the text that it draws, so its output is markup already."""
    if not entries:
        return []
    drawn = [("Validation after each epoch", curves.validation(entries))]
    drawn += [(f"Loss of the student: {entry.title}", curves.loss(entry)) for entry in entries]
    drawn += [(f"{TRANSFERRED}: {entry.title}", curves.mutual_information(entry)) for entry in entries]
    drawn += [
        (f"How much each pair of layers weighed in the end: {entry.title}", curves.mapping(entry)) for entry in entries
    ]
    return [(caption, Markup(svg)) for caption, svg in drawn if svg is not None]  # noqa: S704


def _warnings(overlap: dict[str, int]) -> list[str]:
    return [_warning(count, *pair.split("/")) for pair, count in overlap.items() if count > 0]


def _warning(count: int, split: str, other: str) -> str:
    texts = "1 text is" if count == 1 else f"{count} texts are"
    return f"{texts} in {split} and in {other}: scores there may be too good."
