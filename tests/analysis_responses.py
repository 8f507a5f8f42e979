"""Tables of runs whose variance is known: effects are made up, and shares counted over all pipelines that there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVELS = ("a", "b", "c")
KIND, ALPHA = "objective.intermediate.type", "objective.intermediate.alpha"
NAMES = (KIND, ALPHA, "mapping.type", "objective.prediction.type", "training.batch_size")


@dataclass(frozen=True)
class Response:
    """What retention is for each pipeline, as a table over all of them.

    Attributes:
        names: Of the choices.
        values: Shape [levels of the first, levels of the second, …].
        bound: The second choice is only there at the last level of the first.
    """

    names: tuple[str, ...]
    values: np.ndarray
    bound: bool = False

    def table(self, runs: int, noise: Callable[[int], np.ndarray], random: np.random.Generator) -> pd.DataFrame:
        """Run records of pipelines drawn by lot."""
        codes = [random.integers(size, size=runs) for size in self.values.shape]
        columns = {
            f"pipeline.{name}": np.array(LEVELS, object)[code] for name, code in zip(self.names, codes, strict=True)
        }
        outcome = self.values[tuple(codes)]
        if self.bound:
            there = codes[0] == self.values.shape[0] - 1
            outcome = np.where(there, outcome, self.values.mean(axis=1, keepdims=True)[codes[0], 0, *codes[2:]])
            columns[f"pipeline.{self.names[1]}"] = np.where(there, columns[f"pipeline.{self.names[1]}"], None)
        return pd.DataFrame(columns | {"retention": outcome + noise(runs), "status": "finished"})

    def shares(self) -> dict[str, float]:
        """The share of the variance over all pipelines that each choice and each pair makes: sums of squares of means.

        A choice that is not always there counts where it is, for as many pipelines as have it.
        """
        values = self.values
        if self.bound:
            values = values.copy()
            values[:-1] = values[:-1].mean(axis=1, keepdims=True)
        found: dict[str, float] = {}
        effects: dict[tuple[int, ...], np.ndarray] = {(): np.broadcast_to(values.mean(), values.shape)}
        axes = range(values.ndim)
        for some in [*((axis,) for axis in axes), *((one, other) for one in axes for other in axes if one < other)]:
            others = tuple(axis for axis in axes if axis not in some)
            mean = np.broadcast_to(values.mean(axis=others, keepdims=True), values.shape)
            below = [effect for part, effect in effects.items() if set(part) < set(some)]
            effects[some] = mean - np.sum(below, axis=0)
            found[" × ".join(self.names[axis] for axis in some)] = float((effects[some] ** 2).mean())
        if self.bound:
            found = self._with_bound(found)
        total = sum(found.values())
        return {name: share / total for name, share in found.items()}

    def _with_bound(self, found: dict[str, float]) -> dict[str, float]:
        """What differs between levels of the second at one level of the first alone is the second's, not the pair's."""
        first, second = self.names[:2]
        joined = {second: f"{first} × {second}"}
        found[second] += found.pop(joined[second])
        return found


def unit(shape: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """An effect of variance 1 with mean 0 over each of its choices."""
    drawn = random.standard_normal(tuple(shape))
    for axis in range(drawn.ndim):
        drawn = drawn - drawn.mean(axis=axis, keepdims=True)
    return drawn / np.sqrt((drawn**2).mean())


def response(effects: dict[tuple[int, ...], float], choices: int, random: np.random.Generator) -> Response:
    """Of so many choices with three levels; effects give the variance of a choice or a pair, by their places."""
    values = np.zeros((3,) * choices)
    for places, variance in effects.items():
        effect = unit((3,) * len(places), random) * np.sqrt(variance)
        values = values + effect.reshape([3 if axis in places else 1 for axis in range(choices)])
    return Response(tuple(name for name in NAMES if name != ALPHA)[:choices], 0.9 + 0.02 * values)


def bound_response(random: np.random.Generator) -> Response:
    """With a choice that is only there at one level of another."""
    kind, alpha, mapping, together = (unit(shape, random) for shape in ((3,), (3,), (3,), (3, 3)))
    values = np.zeros((3, 3, 3)) + kind[:, None, None] * 0.8 + mapping[None, None, :] * 0.4
    values = values + (kind[:, None, None] * 0 + together[:, None, :]) * 0.4
    values[-1] += alpha[:, None]
    return Response(NAMES[:3], 0.9 + 0.02 * values, bound=True)
