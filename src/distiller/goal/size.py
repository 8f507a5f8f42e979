"""A student of one size: what it takes, and how it is tried: with its teacher, with several, and with an assistant."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from distiller import training
from distiller.errors import UserError
from distiller.export import Foreseen
from distiller.goal.goal import Goal
from distiller.goal.pursuit import Judge, Pursued, Pursuit
from distiller.goal.sizes import spaced
from distiller.models import StudentConfig, TeacherConfig
from distiller.pipeline import Pipeline

SLACK = 0.95
"""A latency that is measured again may come out higher: what is foreseen has to be so much below the goal."""


@dataclass(frozen=True)
class Size:
    """A student of one size.

    Attributes:
        name: As it is told.
        config: Of the student.
        forms: What it takes exported, by form.
        pursued: What became of it; None if it was not tried.
        ways: By who taught it, what became of it.
    """

    name: str
    config: StudentConfig
    forms: dict[str, Foreseen]
    pursued: Pursued | None = None
    ways: Mapping[str, Pursued] = field(default_factory=dict)

    def sure(self, goal: Goal) -> bool:
        """Whether it was tried, and keeps enough."""
        return self.pursued is not None and self.pursued.sure(goal)

    def allowed(self, goal: Goal) -> bool:
        """Whether it can be fast and small enough in any form."""
        latency = {form: each.latency["median_ms"] / SLACK for form, each in self.forms.items()}
        return any(goal.allows(latency[form], each.size_mb) for form, each in self.forms.items())

    def describe(self, goal: Goal) -> dict[str, Any]:
        """As the front in auto.json has it."""
        found = self.pursued or Pursued(None, None, 0, 0.0)
        return {
            "student": self.name,
            "allowed": self.allowed(goal),
            "tried": self.pursued is not None,
            "forms": {form: each.describe() for form, each in self.forms.items()},
            "chance": found.chance(goal),
            "ways": {name: way.describe() for name, way in self.ways.items()},
            **found.describe(),
        }


@dataclass(frozen=True)
class Way:
    """Who teaches a size.

    Attributes:
        folder: The name of its search.
        teacher: As a pipeline has it.
        student: As it is cut out of that teacher.
        kept: What that teacher keeps of the first one; None if that is to be found out.
    """

    folder: str
    teacher: dict[str, Any]
    student: StudentConfig
    kept: float | None = 1.0


@dataclass(frozen=True)
class Pursuer:
    """Tries sizes; what is the same for all of them.

    Attributes:
        base: With the first teacher alone.
        ensemble: All teachers; None if there is one.
    """

    base: Pipeline
    goal: Goal
    out: Path
    judge: Judge
    said: set[str]
    knowledge: Path | None
    ensemble: TeacherConfig | None = None

    def pursued(self, size: Size, seconds: float, assistant: Size | None) -> Size:
        """A size once it was tried, for so long.

        If the first teacher alone is not enough, all teachers teach it too, and an assistant, where there are any, each
        in as much time; what keeps most counts. If a search ends with an error, that is told, and it is given up.
        """
        began, ways = time.monotonic(), self._ways(size, assistant)
        tried: dict[str, Pursued] = {}
        for number, (name, way) in enumerate(ways.items(), start=1):
            tried[name] = self._search(way, began + seconds * number / len(ways))
            if tried[name].sure(self.goal):
                break
        best = max(tried.values(), key=lambda each: each.standing(self.goal))
        return replace(size, pursued=best, ways=tried)

    def _ways(self, size: Size, assistant: Size | None) -> dict[str, Way]:
        """By who teaches it, the first teacher before others."""
        ways = {"the teacher": Way(_folder(size.name), self.base.teacher.model_dump(), size.config)}
        if self.ensemble is not None:
            name = f"{_folder(size.name)}-taught-by-all-teachers"
            ways["all teachers"] = Way(name, self.ensemble.model_dump(), size.config, None)
        if assistant is None or assistant.pursued is None or assistant.pursued.run is None:
            return ways
        kept, config = assistant.pursued.retention, size.config
        if kept is None or (config.layers is not None and assistant.config.layers is None):
            return ways  # layers of another architecture would be another student
        if config.layers is not None and assistant.config.layers is not None:
            config = config.replace(layers=spaced(len(config.layers), len(assistant.config.layers)))
        teacher = {"model": str(assistant.pursued.run / training.STUDENT), "finetune": None}
        name = f"{_folder(size.name)}-taught-by-{_folder(assistant.name)}"
        return {**ways, assistant.name: Way(name, teacher, config, kept.value)}

    def _search(self, way: Way, until: float) -> Pursued:
        base = self.base.replace(teacher=way.teacher, student=way.student.model_dump())
        folder = self.out / "sizes" / way.folder
        began, say = time.monotonic(), Console(stderr=True).print
        try:
            kept = _kept_by_ensemble(base) if way.kept is None else way.kept
            pursuit = Pursuit(base, self.judge, self.goal, folder, self.said, self.knowledge, kept)
            return pursuit.until(until, lambda told: say(f"  {told}", highlight=False, soft_wrap=True))
        except UserError as error:
            say(f"  given up: {error}", highlight=False, soft_wrap=True, markup=False)
            return Pursued(None, None, 0, time.monotonic() - began, str(error))


def _kept_by_ensemble(base: Pipeline) -> float:
    """What all teachers together keep of the first, on validation.

    Raises:
        UserError: If they cannot be made, or have nothing right.
    """
    metric, found = training.scores_of_teachers(base)
    score = found.scores["validation"][metric]
    if score <= 0:
        raise UserError(
            "teacher.models", f"together score {score:.4f} {metric} on validation: there is nothing to keep"
        )
    return score / found.members[0]["validation"][metric]


def _folder(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-").replace(":", "-")
