"""Relational Knowledge Distillation."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.models.pooling import TextFeature
from distiller.objectives import views
from distiller.objectives.intermediate.loss import ByFeatureConfig, HiddenLoss


class RKD(ByFeatureConfig):
    """distance · RKD-D + angle · RKD-A: distances of texts in a batch, and angles among three (Park et al. 2019).

    `distance` and `angle` are the weights of the two, as the authors take them together; `feature` is the vector of a
    text.
    """

    takes_any_width: ClassVar[bool] = True

    type: Literal["rkd"] = "rkd"
    distance: Annotated[float, Field(ge=0)] = 1.0
    angle: Annotated[float, Field(ge=0)] = 2.0
    feature: TextFeature = "cls"

    def build(self) -> "RKDLoss":
        return RKDLoss(self.distance, self.angle, self.feature)


class RKDLoss(HiddenLoss):
    """distance · mean of l(d_S, d_T) over all pairs + angle · mean of l(cos_S, cos_T) over all triplets of texts.

    d is the distance of two texts over the mean of those that are not 0, cos that of the angle at the first of three,
    and l the Huber loss (smooth L1). Equal to torchdistill's `RKDLoss` with the reduction `mean` for two texts or more
    that all differ. Texts that are the same have distance 0, which has no direction: their cosines are 0, and no
    gradient flows to either from there. One text has no relation, and any two have the same: 0, and no gradient.
    """

    def __init__(self, distance: float, angle: float, feature: TextFeature) -> None:
        super().__init__()
        self.distance = distance
        self.angle = angle
        self.feature = feature

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        x, y = views.texts(student_states, teacher_states, mask, self.feature)
        if len(x) == 0:
            return x.sum()  # no mean of no texts
        (student_distances, student_cosines), (teacher_distances, teacher_cosines) = _relations(x), _relations(y)
        distance = functional.smooth_l1_loss(student_distances, teacher_distances)
        angle = functional.smooth_l1_loss(student_cosines, teacher_cosines)
        return self.distance * distance + self.angle * angle


def _relations(texts: Tensor) -> tuple[Tensor, Tensor]:
    """Of texts [n, width]: distances over their mean [n, n], and cosines [n, n, n] of the angles at the first."""
    differences = texts.unsqueeze(0) - texts.unsqueeze(1)
    distances = torch.linalg.vector_norm(differences, dim=-1)
    apart = distances > 0
    mean = distances.sum() / apart.sum().clamp(min=1)
    directions = differences / distances.where(apart, torch.inf).unsqueeze(-1)
    return distances / mean.where(mean > 0, 1.0), directions @ directions.mT
