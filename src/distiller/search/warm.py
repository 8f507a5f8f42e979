"""What known runs say of a space: where a search begins, and what it may expect of its points."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna

from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.recommend import Recommender, Subject, choose, expected_seconds, knowledge
from distiller.search.point import pipeline_at
from distiller.search.prior import Prior
from distiller.search.space import Space

DRAWN = 1000


@dataclass(frozen=True)
class Foretelling:
    """A recommender that has learned from known runs, and points of a space by lot.

    Attributes:
        recommender: Fitted.
        subject: Data, teacher and student of the search.
        space: That is searched.
        points: Different ones of it that are pipelines.
        pipelines: These.
    """

    recommender: Recommender
    subject: Subject
    space: Space
    points: list[dict[str, Any]]
    pipelines: list[Pipeline]

    @classmethod
    def learn(cls, base: Pipeline, space: Space, folder: Path, seed: int) -> Self:
        """Learn from known runs, and draw 1000 points, of which as many are kept as differ and are pipelines.

        Args:
            base: What a point does not say.
            space: What is searched.
            folder: Known runs: a knowledge folder, or any folder or table of run records.
            seed: Of the draws.

        Raises:
            UserError: If nothing can be learned from known runs, or data or models are not usable.
        """
        recommender = Recommender(seed).fit(knowledge.read(folder))
        drawn = _drawn(base, space, seed)
        return cls(recommender, Subject.read(base), space, [point for point, _ in drawn], [each for _, each in drawn])

    def warm(self, count: int) -> list[dict[str, Any]]:
        """Points to try first: those that known runs speak for, the best first; at most so many.

        Raises:
            UserError: If none of them can be run.
        """
        rows = self.subject.describe(self.pipelines)
        chosen = choose(self.recommender, self.pipelines, rows, self.subject.check, count)
        return [self.points[place] for place in chosen]

    def prior(self) -> Prior:
        """What known runs foretell of each point: its retention and, where they say, what it costs."""
        rows = self.subject.describe(self.pipelines)
        seconds = expected_seconds(self.recommender.known.frame, rows)
        return Prior(
            self.space,
            [self.space.drawn(point) for point in self.points],
            self.recommender.predict(rows).to_numpy(float),
            seconds if np.isfinite(seconds).all() else np.ones(len(rows)),
        )


def _drawn(base: Pipeline, space: Space, seed: int) -> list[tuple[dict[str, Any], Pipeline]]:
    """Different points that are pipelines, and these."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    found: dict[str, tuple[dict[str, Any], Pipeline]] = {}
    refused = None
    for _ in range(DRAWN):
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
