"""Many layers with many, by optimal transport."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from torch import Tensor

from distiller.mapping.pairs import LayerPair, Mapping, PairWeights, check_depths, every_pair

SMALLEST_SHARE = 0.01
"""Of all mass, in equal parts to each layer: a layer that is given up for one batch can come back in another."""


def transport_plan(cost: ArrayLike, student_mass: ArrayLike, teacher_mass: ArrayLike) -> NDArray[np.float64]:
    """The plan that moves the student's mass onto the teacher's at the least cost (the Earth Mover's Distance).

    Args:
        cost: [student layers, teacher layers].
        student_mass: [student layers], none negative.
        teacher_mass: [teacher layers], none negative, of the same sum.

    Returns:
        [student layers, teacher layers]; its rows sum to the student's mass, its columns to the teacher's.

    Raises:
        ValueError: If the shapes do not fit, a number is negative or not finite, or the sums differ.
    """
    import ot

    cost, student, teacher = (np.asarray(given, dtype=np.float64) for given in (cost, student_mass, teacher_mass))
    if cost.shape != (*student.shape, *teacher.shape) or cost.ndim != 2:
        raise ValueError(f"costs {cost.shape} do not fit masses {student.shape} and {teacher.shape}")
    if not all(np.isfinite(given).all() for given in (cost, student, teacher)) or min(*student, *teacher) < 0:
        raise ValueError("costs and masses have to be finite, and masses not negative")
    if not np.isclose(student.sum(), teacher.sum(), rtol=1e-5) or student.sum() == 0:
        raise ValueError(f"the student's mass {student.sum()} is not the teacher's {teacher.sum()}, or there is none")
    plan: NDArray[np.float64] = ot.emd(student, teacher * (student.sum() / teacher.sum()), cost)
    return plan


class EMD(Mapping):
    """Each student layer learns from each teacher layer as much as the cheapest transport plan says: BERT-EMD.

    Li et al. 2020, section 3. The plan is found anew in every batch, on the losses of all pairs (softplus of them where
    they may be negative, as those of bounds on mutual information are). With `cost_attention` the masses follow them: a
    layer that is cheap to move gets more, through a softmax of that temperature.
    """

    type: Literal["emd"] = "emd"
    cost_attention: bool = True
    temperature: Annotated[float, Field(gt=0)] = 1.0

    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        check_depths(student_layers, teacher_layers)
        return every_pair(student_layers, teacher_layers)

    def weights(self, pairs: Sequence[LayerPair]) -> "TransportWeights":
        return TransportWeights(pairs, self.temperature if self.cost_attention else None)


class TransportWeights(PairWeights):
    """The transport plan of the batch; the masses are kept from batch to batch, and in checkpoints."""

    student_mass: Tensor
    teacher_mass: Tensor

    def __init__(self, pairs: Sequence[LayerPair], temperature: float | None) -> None:
        super().__init__()
        self._temperature = temperature
        for side, layers in (("student", {s for s, _, _ in pairs}), ("teacher", {t for _, t, _ in pairs})):
            equal = torch.full((len(layers),), 1 / len(layers))
            self.register_buffer(f"{side}_mass", equal)

    def forward(self, costs: Tensor) -> Tensor:
        cost = costs.detach().cpu().double().view(len(self.student_mass), len(self.teacher_mass)).numpy()
        if not np.isfinite(cost).all():
            return torch.full_like(costs, 1 / len(costs))  # the loss is not finite then, and says so
        masses = [mass.cpu().numpy() for mass in (self.student_mass, self.teacher_mass)]
        plan = transport_plan(cost, *masses)
        if self.training and self._temperature is not None:
            for mass, axis in ((self.student_mass, 1), (self.teacher_mass, 0)):
                moved, unit = (plan * cost).sum(axis=axis), mass.cpu().numpy()
                mass.copy_(_by_cost_attention(moved / unit, self._temperature))
        return torch.from_numpy(plan).flatten().to(costs)


def _by_cost_attention(cost: NDArray[np.float64], temperature: float) -> Tensor:
    """Masses softmax(Σ c / c_i), c_i what a unit of mass of layer i cost (Li et al. 2020, section 3.3)."""
    if cost.min() <= 0:
        return torch.full((len(cost),), 1 / len(cost))  # a layer that costs nothing has no ratio to the others
    shares = torch.softmax(torch.from_numpy(cost.sum() / cost) / temperature, dim=0)
    return (1 - SMALLEST_SHARE) * shares + SMALLEST_SHARE / len(shares)
