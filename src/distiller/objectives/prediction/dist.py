"""DIST: the relations of predictions in place of the predictions themselves."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from distiller.objectives.prediction.loss import PredictionLoss, PredictionLossConfig
from distiller.objectives.rows import counted, smallest_variation


class DIST(PredictionLossConfig):
    """T² · (beta · inter-class + gamma · intra-class) (Huang et al. 2022); options as in the authors' code.

    Each relation is 1 - Pearson's correlation of student and teacher: between the classes of a row, and between the
    rows of a class.
    """

    compares_distributions: ClassVar[bool] = True

    type: Literal["dist"] = "dist"
    beta: Annotated[float, Field(ge=0)] = 1.0
    gamma: Annotated[float, Field(ge=0)] = 1.0

    def build(self) -> "DISTLoss":
        return DISTLoss(self.temperature, self.beta, self.gamma)


class DISTLoss(PredictionLoss):
    """T² · (beta · mean over rows of 1 - r(p_S, p_T) + gamma · mean over classes of 1 - r(column of p_S, of p_T)).

    r is Pearson's correlation and p = softmax(logits / T). A column holds the rows that count and no others, tokens
    of all texts alike. Equal to torchdistill's `DISTLoss`, which has the factor T² too, wherever both sides vary.

    - Where the teacher does not vary there is no relation to learn: such a row or column adds 0, in gradient too. So
      in a batch of one row the intra-class term is 0. torchdistill gives 1 there, even where both agree.
    - Where the teacher varies and the student does not, r is taken as 0: it adds 1, and a gradient towards the
      teacher that is finite but large, up to 1e6 in float32 at T = 1, since r jumps there.
    - r of two numbers is 1 or -1: with two classes the inter-class term has no gradient, nor in a batch of two rows
      the intra-class term.
    """

    def __init__(self, temperature: float, beta: float, gamma: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.beta = beta
        self.gamma = gamma

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        student, teacher, counts = counted(student_logits, teacher_logits, mask)
        rows = counts.bool()
        if not rows.any():
            return student.sum()  # all set to zero: without a row there is no mean, and no gradient
        student, teacher = (functional.softmax(side[rows] / self.temperature, dim=-1) for side in (student, teacher))
        inter_class = _disagreement(student, teacher, dim=-1).mean()
        intra_class = _disagreement(student, teacher, dim=0).mean()
        return self.temperature**2 * (self.beta * inter_class + self.gamma * intra_class)


def _disagreement(student: Tensor, teacher: Tensor, dim: int) -> Tensor:
    """1 - Pearson's correlation along `dim`, 0 where the teacher is constant."""
    student, _ = _standardised(student, dim)
    teacher, varies = _standardised(teacher, dim)
    return torch.where(varies, 1 - (student * teacher).sum(dim=dim), 0.0)


def _standardised(values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Centred and of length 1 along `dim`, or shorter where constant; and where it is not."""
    centred = values - values.mean(dim=dim, keepdim=True)
    length = torch.linalg.vector_norm(centred, dim=dim, keepdim=True)
    constant = smallest_variation(torch.linalg.vector_norm(values, dim=dim, keepdim=True))
    return centred / length.clamp(min=constant), (length > constant).squeeze(dim)
