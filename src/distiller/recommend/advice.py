"""Which of many pipelines to try on a dataset, and why: ranked, diverse, and safe where nothing alike is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.errors import UserError
from distiller.files import write_json
from distiller.pipeline import Pipeline
from distiller.recommend.cost import expected_seconds
from distiller.recommend.familiarity import Familiarity, familiarity
from distiller.recommend.known import Known
from distiller.recommend.learners import standing
from distiller.recommend.proposals import parts_of, proposals

if TYPE_CHECKING:
    from distiller.recommend.recommender import Recommender

Array = NDArray[np.float64]
Describe = Callable[[Sequence[Pipeline]], pd.DataFrame]
FILE = "recommendations.json"
PARTS_APART = 2
REFUSED_AT_MOST = 25
PART_REASONS, DATASET_REASONS = 2, 2
RUNS_AT_LEAST = 3
POINTS = 100


@dataclass(frozen=True)
class Recommendation:
    """A pipeline to try.

    Attributes:
        pipeline: Ready to run.
        expected: Retention.
        low: Of an interval that holds 80 % of new runs.
        high: The other end.
        seconds: What training is expected to take where known runs were made; None if they do not say.
        reasons: What speaks for it, in sentences.
    """

    pipeline: Pipeline
    expected: float
    low: float
    high: float
    seconds: float | None
    reasons: list[str]


@dataclass(frozen=True)
class Advice:
    """Recommendations, the best first, and what is to be known about them, in sentences."""

    recommendations: list[Recommendation]
    notes: list[str]

    def write(self, folder: Path) -> None:
        """Leave `folder`/1.yaml and so on, and all that is known of them in `folder`/recommendations.json."""
        said = []
        for place, each in enumerate(self.recommendations, start=1):
            each.pipeline.to_yaml(folder / f"{place}.yaml")
            numbers = {name: getattr(each, name) for name in ("expected", "low", "high", "seconds", "reasons")}
            said.append({"pipeline": f"{place}.yaml", **numbers})
        write_json(folder / FILE, {"recommendations": said, "notes": self.notes})

    def lines(self) -> list[str]:
        """Reasons and notes, to be read."""
        reasons = [f"{place}: {'; '.join(each.reasons)}." for place, each in enumerate(self.recommendations, start=1)]
        return [*(line for line, each in zip(reasons, self.recommendations, strict=True) if each.reasons), *self.notes]


def advise(
    recommender: "Recommender", base: Pipeline, describe: Describe, check: Callable[[Pipeline], None], count: int
) -> Advice:
    """Recommend pipelines for the data, teacher and student of `base`.

    Args:
        recommender: Fitted.
        base: What is not recommended is as it is here.
        describe: Of pipelines that differ from `base` in what is recommended, rows as run records have them.
        check: Raises UserError for a pipeline that cannot be run.
        count: How many at most.

    Raises:
        UserError: If none can be run.
    """
    random = np.random.default_rng(recommender.seed)
    asked = proposals(base, recommender.known.frame, random) or [base]
    rows = describe(asked)
    foretold = recommender.foretell(rows)
    expected = foretold["expected"].to_numpy(float)
    like = familiarity(recommender.known, rows)
    parts = [parts_of(pipeline) for pipeline in asked]
    chosen = _diverse(asked, parts, _order(recommender, rows, expected, like, count), check, count)
    seconds = expected_seconds(recommender.known.frame, rows)
    return Advice(
        [
            Recommendation(
                asked[place],
                float(expected[place]),
                float(foretold["low"].iloc[place]),
                float(foretold["high"].iloc[place]),
                None if np.isnan(seconds[place]) else float(seconds[place]),
                [
                    *_by_parts(parts, expected, place),
                    *_by_datasets(recommender.known, asked[place], like),
                ],
            )
            for place in chosen
        ],
        _notes(like, recommender),
    )


def choose(
    recommender: "Recommender",
    asked: Sequence[Pipeline],
    rows: pd.DataFrame,
    check: Callable[[Pipeline], None],
    count: int,
) -> list[int]:
    """Which of some pipelines to try, the best first; no two are alike but for one part, while there are others.

    On a dataset that is unlike all known ones they are a portfolio that is safe there.

    Args:
        recommender: Fitted.
        asked: The pipelines.
        rows: What run records would have of them.
        check: Raises UserError for a pipeline that cannot be run.
        count: How many at most.

    Raises:
        UserError: If none can be run.
    """
    expected = recommender.predict(rows).to_numpy(float)
    order = _order(recommender, rows, expected, familiarity(recommender.known, rows), count)
    return _diverse(asked, [parts_of(pipeline) for pipeline in asked], order, check, count)


def _order(recommender: "Recommender", rows: pd.DataFrame, expected: Array, like: Familiarity, count: int) -> list[int]:
    """In which pipelines are looked at."""
    return _safe(recommender, rows, count) if like.strange else np.argsort(-expected, kind="stable").tolist()


def _diverse(
    asked: Sequence[Pipeline],
    parts: Sequence[dict[str, str]],
    order: Sequence[int],
    check: Callable[[Pipeline], None],
    count: int,
) -> list[int]:
    """The first that can be run and differ from each other in two parts; where that leaves too few, in one."""
    chosen: list[int] = []
    refused: dict[int, UserError] = {}
    for apart in range(PARTS_APART, 0, -1):
        for place in order:
            if len(chosen) == count or len(refused) > REFUSED_AT_MOST:
                break
            if place in refused or any(_apart(parts[place], parts[other]) < apart for other in chosen):
                continue
            try:
                check(asked[place])
            except UserError as error:
                refused[place] = error
            else:
                chosen.append(place)
    if not chosen:
        raise next(iter(refused.values()))
    return chosen


def _apart(one: dict[str, str], other: dict[str, str]) -> int:
    return sum(one[name] != other[name] for name in one)


def _safe(recommender: "Recommender", rows: pd.DataFrame, count: int) -> list[int]:
    """A portfolio: each next pipeline is the one with which the best of all is best, in the mean of known datasets."""
    known = recommender.known
    contexts = [name for name in known.frame if str(name).startswith("data.")]
    first = np.unique(known.dataset, return_index=True)[1]
    apart = []
    for place in first:
        there = rows.drop(columns=[name for name in contexts if name in rows])
        here = known.frame.iloc[[place] * len(rows)][contexts].reset_index(drop=True)
        expected = recommender.foretell(pd.concat([there.reset_index(drop=True), here], axis=1))["expected"]
        apart.append(expected.rank(pct=True).to_numpy(float))
    table = np.array(apart)
    chosen: list[int] = []
    reached = np.zeros(len(table))
    for _ in range(min(len(rows), count + REFUSED_AT_MOST)):
        gains = np.maximum(table, reached[:, None]).mean(axis=0) + 1e-6 * table.mean(axis=0)
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        reached = np.maximum(reached, table[:, chosen[-1]])
    return chosen


def _by_parts(parts: Sequence[dict[str, str]], expected: Array, place: int) -> list[str]:
    """The parts for which pipelines that have them are expected to come to more than those that have others."""
    better = {}
    for name, value in parts[place].items():
        alike = np.array([other[name] == value for other in parts])
        if not alike.all():
            better[name] = float(expected[alike].mean() - expected[~alike].mean())
    best = sorted((name for name in better if better[name] > 0), key=lambda name: -better[name])[:PART_REASONS]
    return [f"its {name}: {better[name] * POINTS:+.1f} points against pipelines with another" for name in best]


def _by_datasets(known: Known, pipeline: Pipeline, like: Familiarity) -> list[str]:
    """How runs with its losses stood on known datasets, the most alike first."""
    rank = standing(known.outcome, known.dataset)
    content = pipeline.model_dump()["objective"]
    alike = np.ones(len(known), bool)
    for field in ("intermediate", "prediction"):
        name, kind = f"pipeline.objective.{field}.type", (content[field] or {}).get("type")
        if name in known.frame:
            cells = known.frame[name]
            alike &= (cells.isna() if kind is None else cells == kind).to_numpy(bool)
    said = []
    for dataset in like.nearest or known.names:
        here = alike & (known.dataset == dataset)
        if here.sum() >= RUNS_AT_LEAST and rank[here].mean() > 0.5:
            share = 100 * rank[here].mean()
            said.append(f"on {dataset} runs with its losses stand above {share:.0f}% of all ({int(here.sum())} runs)")
    return said[:DATASET_REASONS]


def _notes(like: Familiarity, recommender: "Recommender") -> list[str]:
    said = [*recommender.notes]
    if like.strange:
        said.insert(
            0,
            f"This dataset is unlike anything known: {like.strange}. These pipelines are a safe portfolio, one of which"
            " was good on each known dataset; what they are expected to come to is little more than a guess.",
        )
    elif like.doubt:
        said.insert(0, f"Whether this is like anything known cannot be told: {like.doubt}.")
    else:
        said.insert(0, f"Most like {like.nearest[0]} of {len(recommender.known.names)} known datasets.")
    gains = recommender.left_out.gain[recommender.mixture]
    if len(gains) > 1:
        said.append(
            f"On known datasets, each left out in turn, the first five lie {gains.mean():.2f} of the way from the mean"
            f" of all pipelines to the best (from {gains.min():.2f} to {gains.max():.2f})."
        )
    return said
