"""The page of some runs."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from distiller.report import curves
from distiller.report.document import write_document
from distiller.report.drawing import Picture
from distiller.report.rows import Entry, columns, finished, rows, verdict

TRANSFERRED = (
    "How much of the teacher's layers the student's hold: lower bounds, each estimated on the texts of a batch in "
    "training; below 0 a bound says nothing"
)
OF_EACH = (
    ("loss", "Loss of the student", curves.loss),
    ("mutual-information", TRANSFERRED, curves.mutual_information),
    ("mapping", "How much each pair of layers weighed in the end", curves.mapping),
)


def write(entries: Sequence[Entry], path: Path) -> None:
    """Write the report of some runs atomically; the first is the one that it is about.

    Args:
        entries: Runs with the same teacher and data.
        path: The HTML file.
    """
    first = entries[0].record
    write_document(
        path,
        "page.html.jinja",
        verdict=verdict(entries),
        columns=columns(entries),
        rows=rows(entries),
        pictures=_pictures(finished(entries)),
        record=first,
        warnings=_warnings(first.data.get("overlap", {})),
        pipeline=yaml.safe_dump(first.pipeline, sort_keys=False, allow_unicode=True),
    )


def _pictures(entries: Sequence[Entry]) -> list[Picture]:
    if not entries:
        return []
    drawn = [("validation", "Validation after each epoch", curves.validation(entries))]
    for name, caption, draw in OF_EACH:
        drawn += [
            (f"{name}-{place}", f"{caption}: {entry.title}", draw(entry)) for place, entry in enumerate(entries, 1)
        ]
    return [Picture(name, caption, figure) for name, caption, figure in drawn if figure is not None]


def _warnings(overlap: dict[str, int]) -> list[str]:
    return [_warning(count, *pair.split("/")) for pair, count in overlap.items() if count > 0]


def _warning(count: int, split: str, other: str) -> str:
    texts = "1 text is" if count == 1 else f"{count} texts are"
    return f"{texts} in {split} and in {other}: scores there may be too good."
