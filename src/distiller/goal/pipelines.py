"""The pipelines that are tried for a student whose goal is given."""

from typing import Any

from distiller.pipeline import Pipeline

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


def space_for(base: Pipeline) -> dict[str, Any]:
    """What differs between the pipelines of one student.

    A student with a checkpoint of its own begins from that. One that is cut out of a teacher begins as it is, or as it
    was before it was fine-tuned, where that is known.
    """
    fixed = base.student.model is not None or base.teacher.finetune is None
    return {name: values for name, values in SPACE.items() if not (fixed and name == "student.init")}


def first_for(base: Pipeline) -> list[dict[str, Any]]:
    """Points of that space to try first."""
    space = space_for(base)
    return [{name: value for name, value in point.items() if name in space} for point in FIRST]
