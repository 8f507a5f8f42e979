"""Where a search begins that knows other datasets: at the points of its space that are expected to be good."""

from pathlib import Path
from typing import Any

import optuna

from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.recommend import Recommender, Subject, choose, knowledge
from distiller.search.point import pipeline_at
from distiller.search.space import Space

PROPOSED = 200


def warm_points(base: Pipeline, space: Space, folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Points of `space` to try first: of 200 drawn by lot those that known runs speak for, the best first.

    Args:
        base: What a point does not say.
        space: What is searched.
        folder: Known runs: a knowledge folder, or any folder or table of run records.
        count: How many at most.
        seed: Of the draws.

    Raises:
        UserError: If nothing can be learned from known runs, or data or models are not usable.
    """
    recommender = Recommender(seed).fit(knowledge.read(folder))
    points = _drawn(base, space, seed)
    subject = Subject.read(base)
    pipelines = [pipeline for _, pipeline in points]
    chosen = choose(recommender, pipelines, subject.describe(pipelines), subject.check, count)
    return [points[place][0] for place in chosen]


def _drawn(base: Pipeline, space: Space, seed: int) -> list[tuple[dict[str, Any], Pipeline]]:
    """Different points that are pipelines, and these."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    found: dict[str, tuple[dict[str, Any], Pipeline]] = {}
    refused = None
    for _ in range(PROPOSED):
        point = space.suggested(study.ask())
        try:
            pipeline = pipeline_at(base, point)
        except UserError as error:
            refused = error
            continue
        found.setdefault(pipeline.to_yaml(), (point, pipeline))
    if refused is not None and not found:
        raise refused
    return list(found.values())
