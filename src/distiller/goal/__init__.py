"""From a goal to a student that meets it: sizes, pipelines, confirmation, export."""

from distiller.goal.goal import Goal
from distiller.goal.reach import Reached, auto

__all__ = ["Goal", "Reached", "auto"]
