"""The page: one file that needs nothing else, with everything escaped."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from distiller.files import write_text
from distiller.report import curves
from distiller.report.rows import Entry, columns, finished, rows, verdict


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
    drawn += [
        (f"How much of the teacher's layers the student's hold: {entry.title}", curves.mutual_information(entry))
        for entry in entries
    ]
    return [(caption, Markup(svg)) for caption, svg in drawn if svg is not None]  # noqa: S704


def _warnings(overlap: dict[str, int]) -> list[str]:
    return [
        f"{count} texts of {pair.split('/')[0]} are in {pair.split('/')[1]} too: scores there may be too good."
        for pair, count in overlap.items()
        if count > 0
    ]
