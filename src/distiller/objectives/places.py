"""Predictions of where an answer begins and ends: distributions over places, of which each text has its own."""

from typing import cast

import torch
from torch import Tensor

from distiller.objectives.prediction import PredictionLoss


def between_places(loss: PredictionLoss, student: Tensor, teacher: Tensor, both: Tensor) -> Tensor:
    """The mean of a loss over the beginnings and ends of all texts: each is a row, and its places are the classes.

    Rows with equally many places are compared together and nothing is padded, so that what a loss does with all classes
    of a row (a mean, a deviation, a rank) is done with places that are there alone.

    Args:
        loss: Any.
        student: [batch, places, 2], logits.
        teacher: Of the same shape.
        both: [batch, places, 2], whether both models say it of the place.

    Returns:
        A scalar; 0 if no row has two places.
    """
    own, others, there = (side.transpose(1, 2).flatten(0, 1) for side in (student, teacher, both))
    order = (~there).to(torch.uint8).argsort(dim=1, stable=True)
    own, others = own.gather(1, order), others.gather(1, order)
    # The one look at the numbers of a batch, for which a GPU has to be waited for.
    counts = there.sum(dim=1).tolist()
    total = own.nan_to_num().sum() * 0.0
    for count in sorted({count for count in counts if count > 1}):
        rows = [row for row, of_row in enumerate(counts) if of_row == count]
        total = total + len(rows) * cast("Tensor", loss(own[rows, :count], others[rows, :count]))
    return cast("Tensor", total / max(1, sum(count > 1 for count in counts)))
