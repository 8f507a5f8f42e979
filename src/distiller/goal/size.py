"""A student of one size: what it takes, and how it is tried, alone and with an assistant."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from distiller import training
from distiller.errors import UserError
from distiller.export import Foreseen
from distiller.goal.goal import Goal
from distiller.goal.pursuit import Judge, Pursued, Pursuit
from distiller.goal.sizes import spaced
from distiller.models import StudentConfig
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
    """

    name: str
    config: StudentConfig
    forms: dict[str, Foreseen]
    pursued: Pursued | None = None

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
            **found.describe(),
        }


@dataclass(frozen=True)
class Pursuer:
    """Tries sizes; what is the same for all of them."""

    base: Pipeline
    goal: Goal
    out: Path
    judge: Judge
    said: set[str]
    knowledge: Path | None

    def pursued(self, size: Size, seconds: float, assistant: Size | None) -> Size:
        """A size once it was tried, for so long; also with an assistant, if there is one and it is needed.

        If a search ends with an error, that is told, and the size is given up.
        """
        until, half = time.monotonic() + seconds, seconds if assistant is None else seconds / 2
        found = self._search(_folder(size.name), self.base, size.config, time.monotonic() + half, 1.0)
        if assistant is None or assistant.pursued is None or assistant.pursued.run is None or found.sure(self.goal):
            return replace(size, pursued=found)
        kept, config = assistant.pursued.retention, size.config
        if kept is None or (config.layers is not None and assistant.config.layers is None):
            return replace(size, pursued=found)  # layers of another architecture would be another student
        if config.layers is not None and assistant.config.layers is not None:
            config = config.replace(layers=spaced(len(config.layers), len(assistant.config.layers)))
        base = self.base.replace(teacher={"model": str(assistant.pursued.run / training.STUDENT), "finetune": None})
        name = f"{_folder(size.name)}-taught-by-{_folder(assistant.name)}"
        helped = self._search(name, base, config, until, kept.value)
        return replace(size, pursued=max(found, helped, key=lambda each: each.standing(self.goal)))

    def _search(self, name: str, base: Pipeline, student: StudentConfig, until: float, kept: float) -> Pursued:
        with_student = base.replace(student=student.model_dump())
        folder = self.out / "sizes" / name
        began, say = time.monotonic(), Console(stderr=True).print
        pursuit = Pursuit(with_student, self.judge, self.goal, folder, self.said, self.knowledge, kept)
        try:
            return pursuit.until(until, lambda told: say(f"  {told}", highlight=False, soft_wrap=True))
        except UserError as error:
            say(f"  given up: {error}", highlight=False, soft_wrap=True, markup=False)
            return Pursued(None, None, 0, time.monotonic() - began, str(error))


def _folder(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-").replace(":", "-")
