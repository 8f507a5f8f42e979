"""MI-α."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from distiller.objectives.intermediate.bound import BaselineBoundLoss, BoundConfig
from distiller.objectives.mutual_information import interpolated


class MI(BoundConfig):
    """log K - I_α, the interpolation of InfoNCE (alpha 1) and TUBA (alpha 0), which He et al. 2021 find best.

    Poole et al. 2019, eq. 14.
    """

    type: Literal["mi"] = "mi"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.9

    def build(self) -> "MILoss":
        return MILoss(self)


class MILoss(BaselineBoundLoss):
    """log K - `mutual_information.interpolated`."""

    def __init__(self, config: MI) -> None:
        super().__init__(config)
        self.alpha = config.alpha

    def bound(self, scores: Tensor, y: Tensor) -> Tensor:
        return interpolated(scores, self.log_baseline(y), self.alpha)
