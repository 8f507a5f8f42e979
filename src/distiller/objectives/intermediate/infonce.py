"""InfoNCE."""

from typing import Literal

from torch import Tensor

from distiller.objectives.intermediate.bound import BoundConfig, BoundLoss
from distiller.objectives.mutual_information import infonce


class InfoNCE(BoundConfig):
    """log K - I_NCE: the cross-entropy of finding the student feature of each teacher feature among K of them.

    van den Oord et al. 2018, eq. 4; with the student's features as negatives.
    """

    type: Literal["infonce"] = "infonce"

    def build(self) -> "InfoNCELoss":
        return InfoNCELoss(self)


class InfoNCELoss(BoundLoss):
    """log K - `mutual_information.infonce`."""

    def bound(self, scores: Tensor, y: Tensor) -> Tensor:  # noqa: ARG002
        return infonce(scores)
