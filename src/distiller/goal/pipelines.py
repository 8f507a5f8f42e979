"""The pipelines that are tried for a student whose goal is given."""

from typing import Any

from distiller.pipeline import Pipeline
from distiller.schema import Config

SPACE: dict[str, Any] = {
    "student.init": ["teacher", "pretrained"],
    "objective.intermediate.type": [None, "mse", "cos", "mi"],
    "mapping.type": {"values": ["skip", "last"], "when": {"objective.intermediate.type": {"not": None}}},
    "objective.prediction.type": ["kl", "mse"],
    "objective.hard_label.weight": [0.0, 0.5],
    "augmentation.mixup": [None, {"beta": 0.4}],
    "augmentation.steps": [[], [{"type": "synonym", "p": 0.1}], [{"type": "random", "p": 0.1}]],
    "training.learning_rate": [2e-4, 3e-4, 5e-4],
    "training.epochs": [4, 8],
}
"""Points of it that are no pipelines for a task are passed over."""
INITIALISATION, WHEN_MAPPED = "student.init", "objective.intermediate.type"
FIRST: list[dict[str, Any]] = [
    {
        "student.init": "teacher",
        "objective.intermediate.type": "mse",
        "mapping.type": "skip",
        "objective.prediction.type": "kl",
        "objective.hard_label.weight": 0.5,
        "augmentation.mixup": {"beta": 0.4},
        "augmentation.steps": [],
        "training.learning_rate": 3e-4,
        "training.epochs": 8,
    },
    {
        "student.init": "teacher",
        "objective.intermediate.type": "cos",
        "mapping.type": "skip",
        "objective.prediction.type": "mse",
        "objective.hard_label.weight": 0.5,
        "augmentation.mixup": None,
        "augmentation.steps": [{"type": "synonym", "p": 0.1}],
        "training.learning_rate": 3e-4,
        "training.epochs": 8,
    },
]
"""Where nothing is known: what did well in our own study (examples/study)."""


def settled(base: Pipeline) -> set[str]:
    """Those fields of the space that `base` says itself, and that are therefore not searched."""
    return {name for name in SPACE if name != INITIALISATION and _is_said(base, name.split("."))}


def space_for(base: Pipeline, said: set[str]) -> dict[str, Any]:
    """What differs between the pipelines of one student.

    A student with a checkpoint of its own begins from that. One that is cut out of a teacher begins as it is, or as it
    was before it was fine-tuned, where that is known.

    Args:
        base: With the student.
        said: Fields that are not searched.
    """
    fixed = {*said, *([INITIALISATION] if base.student.model is not None or base.teacher.finetune is None else [])}
    space = {name: values for name, values in SPACE.items() if name not in fixed}
    if WHEN_MAPPED in fixed and "mapping.type" in space:
        space["mapping.type"] = space["mapping.type"]["values"]
    return space


def first_for(space: dict[str, Any]) -> list[dict[str, Any]]:
    """Points of that space to try first."""
    return [{name: value for name, value in point.items() if name in space} for point in FIRST]


def _is_said(part: Config, path: list[str]) -> bool:
    """Whether a field was given, in whole or in part, and is no default."""
    first, *rest = path
    if first not in part.model_fields_set:
        return False
    below = getattr(part, first)
    return _is_said(below, rest) if rest and isinstance(below, Config) else True
