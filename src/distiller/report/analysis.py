"""What an analysis has found: a page with pictures and tables, copies of the pictures for a paper, a short table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandas import DataFrame
from rich import table as terminal
from rich.console import Group
from rich.text import Text

from distiller.files import replaced_folder
from distiller.report.datasets import likeness_pictures, winner_pictures
from distiller.report.document import write_document
from distiller.report.drawing import Picture
from distiller.report.forest import forest_pictures, strongest, where
from distiller.report.importance import importance_pictures, intervals_of, ranked
from distiller.report.interactions import interaction_pictures
from distiller.report.numbers import between, correlation, p_value, points, share
from distiller.report.tables import Column, Table, table_of

if TYPE_CHECKING:
    from distiller.analysis import Analysis

PAGE, FIGURES = "report.html", "figures"
SHOWN = 10

IMPORTANCE = (
    Column("kind", "kind"),
    Column("name", "name"),
    Column("group", "group"),
    Column("method", "method"),
    Column("share", "value", share),
    Column("low", "low", share),
    Column("high", "high", share),
    Column("known", "known"),
)
CONTRASTS = (
    Column("choice", "choice"),
    Column("level", "level"),
    Column("vs", "other"),
    Column("scope", "scope"),
    Column("part", "part"),
    Column("points", "difference", points),
    Column("low", "low", points),
    Column("high", "high", points),
    Column("p", "p", p_value),
    Column("adjusted p", "adjusted_p", p_value),
    Column("supported", "supported"),
    Column("runs", "runs"),
    Column("runs of other", "other_runs"),
)
WINNERS = (
    Column("choice", "choice"),
    Column("dataset", "dataset"),
    Column("level", "level"),
    Column("chance", "chance", share),
    Column("advantage, points", "advantage", points),
    Column("low", "low", points),
    Column("high", "high", points),
    Column("runs", "runs"),
)
BEST = (
    Column("dataset", "dataset"),
    Column("rank", "rank"),
    Column("retention", "retention", share),
    Column("expected", "expected", share),
    Column("low", "low", share),
    Column("high", "high", share),
    Column("run", "run"),
    Column("pipeline", "pipeline"),
)
LIKENESS = (
    Column("dataset", "dataset"),
    Column("other", "other"),
    Column("correlation", "correlation", correlation),
    Column("low", "low", correlation),
    Column("high", "high", correlation),
    Column("pipelines on both", "shared"),
)
CELLS = (
    Column("choice", "choice"),
    Column("level", "level"),
    Column("other choice", "other_choice"),
    Column("its level", "other_level"),
    Column("expected", "expected", share),
    Column("low", "low", share),
    Column("high", "high", share),
    Column("runs", "runs"),
)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Its heading.
        pictures: What it shows.
        table: The same in numbers; None if there is nothing to show.
        missing: What is said in that case.
    """

    title: str
    pictures: Sequence[Picture]
    table: Table | None
    missing: str


def write_analysis(analysis: "Analysis", folder: Path) -> None:
    """Write `folder`/report.html, and its pictures on white as `folder`/figures/NAME.svg and NAME.png.

    Args:
        analysis: What `distiller.analyze` gives.
        folder: Made if it is not there; earlier figures in it are replaced.
    """
    sections = _sections(analysis)
    with replaced_folder(folder / FIGURES) as copies:
        for section in sections:
            for picture in section.pictures:
                picture.save(copies)
    write_document(
        folder / PAGE,
        "analysis.html.jinja",
        sentences=analysis.sentences,
        notes=analysis.notes,
        sections=sections,
        figures=FIGURES,
        about={name.replace("_", " "): _fact(value) for name, value in analysis.about.items()},
    )


def analysis_table(analysis: "Analysis") -> Group:
    """How much each group of choices matters, and the strongest contrasts that are supported."""
    tables = [_importance(analysis.importance), _strongest(analysis.contrasts)]
    return Group(*(table for table in tables if table.row_count > 0))


def _sections(analysis: "Analysis") -> list[Section]:
    intervals = intervals_of(analysis.about)
    return [
        Section(
            "What matters",
            importance_pictures(analysis.importance, analysis.about),
            _table("Importance of choices", analysis.importance, IMPORTANCE),
            "The runs are too few, or too much alike, to tell what matters.",
        ),
        Section(
            "What is better than what",
            forest_pictures(analysis.contrasts, intervals),
            _table("Contrasts of levels", analysis.contrasts, CONTRASTS),
            "No two levels of a choice were run often enough to be compared.",
        ),
        Section(
            "What is best where",
            winner_pictures(analysis.winners),
            _table("Levels by choice and dataset", analysis.winners, WINNERS),
            "No choice was tried with more than one level on any dataset.",
        ),
        Section(
            "The best pipelines",
            [],
            _table("The best pipelines of each dataset", analysis.best, BEST),
            "No run has finished, so that there is no best.",
        ),
        Section(
            "How much datasets agree",
            likeness_pictures(analysis.likeness, intervals),
            _table("Rank correlations of datasets", analysis.likeness, LIKENESS),
            "There is no second dataset to compare.",
        ),
        Section(
            "What depends on what",
            interaction_pictures(analysis.cells, intervals),
            _table("Expected retention of two choices together", analysis.cells, CELLS),
            "No two choices were run in enough combinations to tell whether one depends on the other.",
        ),
    ]


def _table(caption: str, frame: DataFrame, columns: Sequence[Column]) -> Table | None:
    return None if frame.empty else table_of(caption, frame, columns)


def _fact(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _importance(importance: DataFrame) -> terminal.Table:
    table = terminal.Table("group of choices")
    if importance.empty:
        return table
    groups = importance[importance["kind"] == "group"]
    methods = list(dict.fromkeys(groups["method"]))
    for method in methods:
        table.add_column(Text(method), justify="right")
    for name in ranked(groups)[:SHOWN]:
        of_method = {row["method"]: row for row in groups[groups["name"] == name].to_dict("records")}
        table.add_row(Text(str(name)), *(Text(_share(of_method.get(method))) for method in methods))
    return table


def _share(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return ""
    known = row["known"] and not math.isnan(row["value"])
    return f"{share(row['value']) if known else 'unknown'}{between(row['low'], row['high'])}"


def _strongest(contrasts: DataFrame) -> terminal.Table:
    table = terminal.Table("choice", "level", "vs", "where")
    table.add_column("points", justify="right")
    if contrasts.empty:
        return table
    supported = contrasts[contrasts["supported"].astype(bool) & contrasts["difference"].notna()]
    for row in strongest(supported, SHOWN).to_dict("records"):
        numbers = f"{points(row['difference'])}{between(row['low'], row['high'])}"
        cells = (row["choice"], row["level"], row["other"], where(row).removeprefix(", "), numbers)
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table
