"""How what several teachers say becomes one answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Costs = Callable[[Tensor, Tensor | None], Tensor]
"""A task's loss of each example, as `Task.costs`."""


@dataclass(frozen=True)
class Ensemble:
    """The mean of the teachers' logits, or one that weighs each teacher by how good it is on the example.

    Of one teacher it is what that says.

    Attributes:
        orders: Of each teacher which of its outputs stands for each class; None if they are in that order.
        costs: By which teachers are weighed; None if all weigh the same.
    """

    orders: Sequence[Sequence[int] | None]
    costs: Costs | None = None

    def __call__(self, logits: Sequence[Tensor], targets: Tensor | None) -> Tensor:
        """The logits that are taught, of the shape of each: in float32, if there are several.

        Args:
            logits: Of each teacher [batch, outputs], [batch, words, outputs] or [batch, places, 2].
            targets: As the task has them; None if no example has any.
        """
        alike = [one if order is None else one[..., order] for one, order in zip(logits, self.orders, strict=True)]
        if len(alike) == 1:
            return alike[0]
        stacked = torch.stack(alike).float()
        if self.costs is None:
            return stacked.mean(dim=0)
        costs = torch.stack([self.costs(one, targets) for one in stacked])
        return (weights(costs) * stacked).sum(dim=0)


def weights(costs: Tensor) -> Tensor:
    """[teachers, ...], not negative, of sum 1 over the teachers: the less it costs, the more a teacher weighs.

    1 less the softmax of the costs over the teachers, divided by their number less 1 (Zhang, Chen and Wang 2022,
    "Confidence-Aware Multi-Teacher Knowledge Distillation", arXiv 2112.00080, eq. 2). Costs are cross-entropies with
    the label there; what they are of other tasks, and where nobody has labelled an example (texts without a label,
    copies by augmentation, mixtures that a teacher reads), `Task.costs` says: of classes the entropy, so that a teacher
    that is more sure weighs more; of numbers, which do not say how sure they are, nothing, so that all weigh the same.

    Args:
        costs: [teachers, ...], of two teachers or more.
    """
    return (1 - costs.softmax(dim=0)) / (len(costs) - 1)
