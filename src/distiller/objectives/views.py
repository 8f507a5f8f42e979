"""What of a layer's hidden states stands for a text: its first position, the mean of its positions, or each of them."""

from typing import Literal

import torch
from torch import Tensor

from distiller.models.pooling import TextFeature, pooled
from distiller.objectives.rows import counted_of_any_width

Feature = Literal["cls", "mean", "tokens"]


def texts(student: Tensor, teacher: Tensor, mask: Tensor | None, feature: TextFeature) -> tuple[Tensor, Tensor]:
    """The vector of each text that counts, of both sides.

    Args:
        student: [batch, length, width].
        teacher: [batch, length, its own width]; for `cls` of any length.
        mask: [batch, length], nonzero where a position is no padding; None if all count.
        feature: Which vector.

    Returns:
        [texts, width] of the student, and of the teacher, detached; in at least float32.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if len(student) != len(teacher):
        raise ValueError(f"texts of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape")
    (x, counts), (y, _) = (pooled(side, mask, feature) for side in (student, teacher.detach()))
    return x[counts], y[counts]


def positions(student: Tensor, teacher: Tensor, mask: Tensor | None, per_text: int) -> tuple[Tensor, Tensor, Tensor]:
    """Valid positions drawn from each text, the same of both sides; no text has two positions in one group.

    They are drawn from torch's global random state, as dropout is.

    Args:
        student: [batch, length, width].
        teacher: [batch, length, its own width].
        mask: [batch, length], nonzero where a position is no padding; None if all count.
        per_text: How many groups: a text with fewer positions has some of them in several groups.

    Returns:
        [per_text, texts, width] of the student, and of the teacher, detached; in at least float32. Then [per_text,
        texts]: whether the position is not in an earlier group as well.

    Raises:
        ValueError: If the shapes do not fit.
    """
    x, y, counts = counted_of_any_width(student, teacher, mask)
    some = counts.sum(dim=1) > 0
    x, y, counts = x[some], y[some], counts[some]
    shuffled = torch.rand_like(counts).masked_fill(counts == 0, -1.0).argsort(dim=1, descending=True)
    groups = torch.arange(per_text, device=counts.device).unsqueeze(-1)
    lengths = counts.sum(dim=1).long()
    drawn = shuffled.T.gather(0, groups % lengths)
    every = torch.arange(len(counts), device=counts.device)
    return x[every, drawn], y[every, drawn], groups < lengths
