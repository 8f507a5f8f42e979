"""The tractable bound of Barber and Agakov without normaliser."""

from typing import Literal

from torch import Tensor

from distiller.objectives.intermediate.bound import BaselineBoundLoss, BoundConfig
from distiller.objectives.mutual_information import tuba


class TUBA(BoundConfig):
    """log K - I_TUBA with a learned baseline (Poole et al. 2019, eq. 6)."""

    type: Literal["tuba"] = "tuba"

    def build(self) -> "TUBALoss":
        return TUBALoss(self)


class TUBALoss(BaselineBoundLoss):
    """log K - `mutual_information.tuba`."""

    def bound(self, scores: Tensor, y: Tensor) -> Tensor:
        return tuba(scores, self.log_baseline(y))
