"""How much of the variance of retention each choice makes: functional ANOVA of the surrogate, with intervals."""

import numpy as np
import pandas as pd

from distiller.analysis.choices import group_of
from distiller.analysis.hierarchical import Array
from distiller.analysis.interval import LOWER, UPPER, interval
from distiller.analysis.surrogate import Source, Surrogate, context_of, foretell
from distiller.analysis.table import Table

METHOD = "functional ANOVA"
NOTHING = 0.005
"""A share below this is none: an interval that reaches it begins at zero."""
UNKNOWN_WIDTH = 0.2
"""An interval from zero to more than this says nothing."""
RESAMPLED = 400
TINY = 1e-300


def functional_anova(surrogate: Surrogate, reliability: float) -> pd.DataFrame:
    """Shares of the variance of the response: each choice, each pair, each choice's differing by dataset, and stages.

    The response is what the surrogate says of a pipeline, without noise, and its variance is over pipelines drawn by
    lot (see `design`). Shares of choices, pairs and differences between datasets add up to 1, those of stages too; NaN
    is the share of what runs do not tell from choices alone, which counts as none of it.

    Args:
        surrogate: Fitted.
        reliability: The least that its cross-validated R² may be; at or below 0 nothing is known.
    """
    variance = {name: surrogate.variance(name) for name in surrogate.sources}
    total = np.asarray(np.sum(list(variance.values()), axis=0))
    certain = [name for name, each in variance.items() if _low(each / total) > 0]
    rows = []
    for name, source in surrogate.sources.items():
        others = np.sum([variance[other] for other in certain if other != name], axis=0)
        rows.append(_row(_kind(source), name, _stages(source), variance[name], total, others, reliability))
    for stage in sorted({_stages(source) for source in surrogate.sources.values()}):
        inside = {name for name, source in surrogate.sources.items() if _stages(source) == stage}
        of_stage = np.asarray(np.sum([variance[name] for name in inside], axis=0))
        others = np.sum([variance[other] for other in certain if other not in inside], axis=0)
        rows.append(_row("group", stage, stage, of_stage, total, others, reliability))
    untold = {"method": METHOD, "value": float("nan"), "low": 0.0, "high": 1.0, "known": False}
    rows += [
        {"kind": _kind(source), "name": name, "group": _stages(source), **untold}
        for name, source in surrogate.untold.items()
    ]
    return pd.DataFrame(rows)


def _row(
    kind: str, name: str, group: str, variance: Array, total: Array, others: Array, reliability: float
) -> dict[str, object]:
    """One share with its interval.

    It is lowest if all that the model cannot rule out is real, and highest if nothing else is but what is certain: a
    little that is left to each of a hundred pairs that do nothing would else take away from what matters.
    """
    low = _low(variance / total)
    high = float(np.quantile(variance / np.maximum(variance + others, TINY), UPPER))
    known = reliability > 0 and not (low == 0 and high > UNKNOWN_WIDTH)
    found = {"value": float(np.mean(variance / total)), "low": low, "high": high, "known": bool(known)}
    return {"method": METHOD, "kind": kind, "name": name, "group": group, **found}


def _low(share: Array) -> float:
    low = float(np.quantile(share, LOWER))
    return 0.0 if low < NOTHING else low


def explained(surrogate: Surrogate) -> tuple[float, float, float]:
    """The share of the variance of runs on a dataset that the response makes, and its interval; the rest is noise."""
    total = np.sum([surrogate.variance(name) for name in surrogate.sources], axis=0)
    share = total / (total + surrogate.unexplained)
    low, high = interval(share)
    return float(share.mean()), low, high


def reliability_of(table: Table, surrogate: Surrogate, random: np.random.Generator) -> tuple[float, float, float]:
    """Cross-validated R² of the surrogate against knowing where runs were, with a bootstrap interval over pipelines."""
    foretold = foretell(table, surrogate.batches, random)
    base = foretell(table, context_of(table), random)
    there = ~np.isnan(foretold) & ~np.isnan(base)
    wrong, before = (
        np.bincount(table.pipelines[there], (table.outcome - each)[there] ** 2) for each in (foretold, base)
    )
    if int(there.sum()) < 2 or before.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    drawn = [random.integers(len(wrong), size=len(wrong)) for _ in range(RESAMPLED)]
    scores = [1 - wrong[rows].sum() / max(float(before[rows].sum()), TINY) for rows in drawn]
    low, high = interval(scores)
    return float(1 - wrong.sum() / before.sum()), low, high


def _kind(source: Source) -> str:
    return "dataset" if source.on_dataset else "choice" if len(source.choices) == 1 else "pair"


def _stages(source: Source) -> str:
    """The stage of a source, or two; differing by dataset is counted with its stage."""
    return " × ".join(dict.fromkeys(sorted(group_of(name) for name in source.choices)))
