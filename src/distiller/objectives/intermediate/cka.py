"""Centred kernel alignment."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from distiller.objectives import views
from distiller.objectives.intermediate.loss import ByFeatureConfig, HiddenLoss
from distiller.objectives.rows import counted_of_any_width, smallest_variation


class CKA(ByFeatureConfig):
    """1 - linear CKA: how far the texts of a batch are alike to the student as they are to its teacher.

    Kornblith et al. 2019, section 3. `feature` is what a row is: `cls` or `mean` a text, or `tokens`, each valid
    position of all texts. Rotations and the scale of either side do not matter.
    """

    takes_any_width: ClassVar[bool] = True

    type: Literal["cka"] = "cka"
    feature: views.Feature = "mean"

    def build(self) -> "CKALoss":
        return CKALoss(self.feature)


class CKALoss(HiddenLoss):
    """1 - ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖), Frobenius norms, X and Y the rows of student and teacher, centred over the batch.

    Where the teacher's rows are all the same, as one row is, there is nothing to learn: 0, and no gradient. Where only
    the student's are: 1, and no gradient. Of two rows CKA is always 1: the more rows, the more it says.
    """

    def __init__(self, feature: views.Feature) -> None:
        super().__init__()
        self.feature = feature

    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        x, y = self._rows(student_states, teacher_states, mask)
        if len(x) == 0:
            return x.sum()  # no mean of no rows
        (x, _), (y, varies) = _centred(x), _centred(y)
        norms = torch.linalg.matrix_norm(x.T @ x) * torch.linalg.matrix_norm(y.T @ y)
        alignment = (y.T @ x).square().sum() / norms.clamp(min=torch.finfo(norms.dtype).tiny)
        return torch.where(varies, 1 - alignment, 0.0)

    def _rows(self, student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """[rows, width] of both sides."""
        if self.feature != "tokens":
            return views.texts(student, teacher, mask, self.feature)
        student, teacher, counts = counted_of_any_width(student, teacher, mask)
        return student[counts.bool()], teacher[counts.bool()]


def _centred(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows less their mean, of Frobenius norm 1, zero if they are all the same; and whether they are not."""
    centred = rows - rows.mean(dim=0)
    size = torch.linalg.matrix_norm(centred)
    same = smallest_variation(torch.linalg.matrix_norm(rows))
    varies = size > same
    return torch.where(varies, centred / size.clamp(min=same), 0.0), varies
