"""How much each choice mattered in a table of run records, and how sure that is."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distiller.analysis import preference
from distiller.analysis.among_good import ped_anova
from distiller.analysis.contrasts import COLUMNS, contrasts
from distiller.analysis.importance import explained, functional_anova, reliability_of
from distiller.analysis.interval import LEVEL
from distiller.analysis.permutation import permutation_importance
from distiller.analysis.sentences import sentences
from distiller.analysis.surrogate import PIPELINES_AT_MOST, Surrogate, fit_surrogate
from distiller.analysis.table import Table, prepare
from distiller.files import write_json, write_text

IMPORTANCE = ["method", "kind", "name", "group", "value", "low", "high", "known"]
RUNS_AT_LEAST = 8
REPEATED = 0.9
TABLES = ("importance", "contrasts", "winners", "best", "likeness", "cells")


@dataclass(frozen=True)
class Analysis:
    """What a table of runs says; all intervals are 95 %.

    Attributes:
        about: How many runs of what status, datasets and teachers; `surrogate_r2` (cross-validated, with `_low` and
            `_high`), `explained` (the share of what makes runs on a dataset differ that choices make; the rest is noise
            and what no pair of choices does) and `forest_r2`.
        sentences: The summary.
        notes: What was left out, joined or assumed.
        importance: `method`, `kind` (group, choice, pair, dataset), `name`, `group`, `value` (share of variance),
            `low`, `high`, `known` (whether the runs support a figure at all).
        contrasts: See `distiller.analysis.contrasts`; differences in retention.
        winners: The best level of each choice on each dataset, and the chance that it is.
        best: The best runs on each dataset.
        likeness: Rank correlation between datasets of what pipelines come to.
        cells: Expected retention by the levels of pairs of choices that act together.
    """

    about: dict[str, Any]
    sentences: list[str]
    notes: list[str]
    importance: pd.DataFrame
    contrasts: pd.DataFrame
    winners: pd.DataFrame
    best: pd.DataFrame
    likeness: pd.DataFrame
    cells: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write every number as `folder`/NAME.csv and all of them as `folder`/analysis.json."""
        tables = {name: getattr(self, name) for name in TABLES}
        for name, table in tables.items():
            write_text(folder / f"{name}.csv", table.to_csv(index=False))
        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in TABLES}
        write_json(folder / "analysis.json", said | {name: _rows(table) for name, table in tables.items()})


def analyze(frame: pd.DataFrame, seed: int = 0) -> Analysis:
    """Analyse run records.

    Args:
        frame: As `distiller.runs.load` gives it, or any table with these columns: `retention`, `pipeline.…`, and where
            there are several, `data.name` (or `data.source`), `data.n_train`, `teacher.model`, `student.…`, `status`.
        seed: Of the draws: the same table and seed give the same figures.

    Raises:
        UserError: If there is no column `retention`.
    """
    table = prepare(frame)
    measured = table.of(table.measured)
    about: dict[str, Any] = dict(table.counts)
    about |= {"datasets": len(set(measured.dataset)), "teachers": len(set(measured.teacher)), "level": LEVEL}
    reason = _too_little(table)
    if reason is not None:
        return _nothing(about, table, reason)
    random = np.random.default_rng(seed)
    surrogate = fit_surrogate(table, random)
    scores = reliability_of(table, surrogate, random)
    about |= dict(zip(("surrogate_r2", "surrogate_r2_low", "surrogate_r2_high"), scores, strict=True))
    about |= dict(zip(("explained", "explained_low", "explained_high"), explained(surrogate), strict=True))
    shares = functional_anova(surrogate, scores[1])
    forest, about["forest_r2"] = permutation_importance(table, random)
    importance = pd.concat([shares, ped_anova(table, random), forest], ignore_index=True)
    compared = contrasts(surrogate.completed(table), surrogate.disagreement, random)
    return Analysis(
        about,
        sentences(about, shares, compared),
        [*table.notes, *table.notes_of_choices, *_not_modelled(table, surrogate)],
        importance[IMPORTANCE],
        compared,
        preference.winners(table, surrogate),
        preference.best(table, surrogate),
        preference.likeness(table, surrogate, random),
        preference.cells(table, surrogate, shares),
    )


def _not_modelled(table: Table, surrogate: Surrogate) -> list[str]:
    """What the model leaves out, or is not sure of, in sentences."""
    pipelines = int(table.pipelines.max()) + 1
    untold, unsettled = len(surrogate.untold), surrogate.unsettled()
    said = {
        f"Of {untold} pairs runs do not tell what the two do together from what each does alone, their levels being"
        " hardly combined: those are unknown, and what is seen is put down to the choices alone.": untold > 0,
        f"Other seeds will say otherwise of {', '.join(unsettled)}: the draws did not settle.": len(unsettled) > 0,
        f"{surrogate.left_out} pairs of choices, those that explain least, are counted as noise.": (
            surrogate.left_out > 0
        ),
        f"{pipelines} pipelines are too many to tell what each has of its own: runs count each for itself.": (
            PIPELINES_AT_MOST < pipelines < REPEATED * len(table)
        ),
    }
    return [sentence for sentence, so in said.items() if so]


def _too_little(table: Table) -> str | None:
    """Why nothing can be said of importance; None if something can."""
    runs = int(table.measured.sum())
    if runs < RUNS_AT_LEAST:
        return f"{runs} finished runs with a retention: too few to say what mattered; {RUNS_AT_LEAST} are the least."
    if not table.choices:
        return "All runs are of the same pipeline: there is no choice to compare."
    if np.ptp(table.outcome[table.measured]) == 0:
        return "All runs have the same retention: nothing made a difference."
    return None


def _nothing(about: dict[str, Any], table: Table, reason: str) -> Analysis:
    empty = {
        "importance": IMPORTANCE,
        "contrasts": COLUMNS,
        "winners": preference.WINNERS,
        "best": preference.BEST_COLUMNS,
        "likeness": preference.LIKENESS,
        "cells": preference.CELLS,
    }
    return Analysis(
        about,
        [reason],
        [*table.notes, *table.notes_of_choices],
        **{name: pd.DataFrame(columns=columns) for name, columns in empty.items()},
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain values; None where there is no number."""
    return [
        {
            str(name): None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]
