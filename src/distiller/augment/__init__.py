"""More texts for the teacher to label: one file per augmenter, the ordered sequence of them, and mixup."""

from collections.abc import Sequence
from typing import Any

from distiller.augment.config import AugmentationConfig, StepConfig
from distiller.augment.draws import derived_seed
from distiller.augment.mixup import Mixup, MixupConfig, mixed, mixed_inputs
from distiller.augment.policy import Policy, orders
from distiller.augment.step import Augmenter, Step
from distiller.schema import validated

__all__ = [
    "AugmentationConfig",
    "Augmenter",
    "Mixup",
    "MixupConfig",
    "Policy",
    "Step",
    "StepConfig",
    "augment",
    "derived_seed",
    "mixed",
    "mixed_inputs",
    "orders",
]


def augment(texts: Sequence[str], steps: Sequence[dict[str, Any] | Step], seed: int) -> list[str]:
    """What steps make of texts: one text for each, in their order, and never an empty one of one that is not.

    Args:
        texts: Any; what becomes of each depends on it, the steps and the seed alone.
        steps: In order, as `augmentation.steps` in a pipeline, e.g. `[{"type": "random", "action": "swap", "p": 0.1}]`.
        seed: Seed of all chance.

    Raises:
        UserError: If a step is not known or not usable, or what it works with is not there or fails.
    """
    given = [step.model_dump() if isinstance(step, Step) else step for step in steps]
    policy = Policy(validated(AugmentationConfig, {"steps": given}, "augment").steps)
    return policy(texts, seed, done=_unseen)


def _unseen(count: int) -> None:
    """Of a call in Python nobody watches the progress."""
