"""Predictions of where an answer begins and ends: distributions over places, of which each text has its own."""

from typing import cast

import torch
from torch import Tensor

from distiller.objectives.prediction import PredictionLoss


def between_places(loss: PredictionLoss, student: Tensor, teacher: Tensor, both: Tensor) -> Tensor:
    """The mean of a loss over the beginnings and ends of all texts: each is a row, and its places are the classes.

    Texts with equally many places are compared together and nothing is padded, so that what a loss does with all
    classes of a row (a mean, a deviation, a rank) is done with places that are there alone.

    Args:
        loss: Any.
        student: [batch, places, 2], logits.
        teacher: Of the same shape.
        both: [batch, places], whether both models say something of the place.

    Returns:
        A scalar; 0 if no text has two places.
    """
    order = (~both).to(torch.uint8).argsort(dim=1, stable=True).unsqueeze(-1).expand_as(student)
    student, teacher = student.gather(1, order), teacher.gather(1, order)
    counts = both.sum(dim=1)
    # One look at the numbers of a batch, for which a GPU has to be waited for.
    present = [count for count in counts.unique().tolist() if count > 1]
    total = student.nan_to_num().sum() * 0.0
    for count in present:
        rows = counts == count
        own, others = (side[rows, :count].transpose(1, 2).flatten(0, 1) for side in (student, teacher))
        total = total + rows.sum() * cast("Tensor", loss(own, others))
    return total / (counts > 1).sum().clamp(min=1)
