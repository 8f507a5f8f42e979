"""The bound of Nguyen, Wainwright and Jordan."""

from typing import Literal

from torch import Tensor

from distiller.objectives.intermediate.bound import BoundConfig, BoundLoss
from distiller.objectives.mutual_information import nwj


class NWJ(BoundConfig):
    """log K - I_NWJ (Nguyen et al. 2010; Poole et al. 2019, eq. 7): unbiased, and of high variance."""

    type: Literal["nwj"] = "nwj"

    def build(self) -> "NWJLoss":
        return NWJLoss(self)


class NWJLoss(BoundLoss):
    """log K - `mutual_information.nwj`."""

    def bound(self, scores: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        return nwj(scores)
