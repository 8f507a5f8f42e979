"""Steps in order, each seeing what the one before it made."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import TypeVar

from distiller.augment.draws import derived_seed
from distiller.augment.kept import KeptStep
from distiller.augment.step import Augmenter, Step

S = TypeVar("S")


class Policy:
    """Steps in order; what they work with is loaded when it is first needed, and stays as long as the policy.

    Args:
        steps: In order.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps: list[KeptStep | Step] = [KeptStep(step) if step.kept else step for step in steps]
        self._built: dict[int, Augmenter] = {}

    def __call__(self, texts: Sequence[str], seed: int, done: Callable[[int], None]) -> list[str]:
        """What the steps make of texts, one after the other; one text for each, in their order.

        Args:
            texts: Any.
            seed: Of all; each step has its own, which depends on its place.
            done: Called with the number of texts that a slow step has made since the last call.

        Raises:
            UserError: If what a step works with is not there, or fails.
        """
        changed = [*texts]
        for place, step in enumerate(self._steps):
            own = derived_seed(seed, place)
            changed = (
                step(changed, own, done) if isinstance(step, KeptStep) else self._augmenter(place, step)(changed, own)
            )
        return changed

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all besides the steps and the seed on which its texts depend.

        Raises:
            UserError: If what a step works with is not there.
        """
        return hashlib.sha256(repr([step.fingerprint() for step in self._steps]).encode()).hexdigest()

    def _augmenter(self, place: int, step: Step) -> Augmenter:
        if place not in self._built:
            self._built[place] = step.build()
        return self._built[place]


def orders(steps: Sequence[S]) -> list[list[S]]:
    """All policies of some of these steps, each once, in any order: 15 of the paper's three (He et al. 2021, §3.1)."""
    return [[*order] for count in range(1, len(steps) + 1) for order in permutations(steps, count)]
