"""What the losses on attention share: the pairs of query and key that count, and distributions over the keys."""

import torch
from torch import Tensor

from distiller.objectives.prediction.loss import divergence
from distiller.objectives.rows import counted, mean_over


def counted_pairs(student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Both sides in at least float32, the teacher's detached, with pairs that do not count set to zero.

    Args:
        student: [batch, heads, length, length], a row a query, a column a key.
        teacher: Of the same shape.
        mask: [batch, length], nonzero where a position is no padding; None if all count.

    Returns:
        Student, teacher, and whether query and key both count, [batch, heads, length, length], as numbers of their
        type.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if mask is not None:
        if mask.shape != (len(student), student.shape[-1]):
            raise ValueError(f"a mask {tuple(mask.shape)} does not fit rows and columns of {tuple(student.shape)}")
        mask = pairs(mask.bool()).unsqueeze(1).expand(student.shape)
    student, teacher, counts = counted(student.unsqueeze(-1), teacher.unsqueeze(-1), mask)
    return student.squeeze(-1), teacher.squeeze(-1), counts


def pairs(counts: Tensor) -> Tensor:
    """[..., length, length] of [..., length]: whether both of two positions count."""
    return counts.unsqueeze(-1) * counts.unsqueeze(-2)


def divergence_over_keys(student: Tensor, teacher: Tensor, counts: Tensor) -> Tensor:
    """KL(softmax(t) ‖ softmax(s)), softmax over the keys that count, mean over the queries that do.

    Args:
        student: Scores [..., length, length], finite.
        teacher: Of the same shape.
        counts: Of the same shape, 1 where query and key both count, else 0.
    """
    left_out = counts == 0
    student, teacher = (
        side.masked_fill(left_out, -torch.inf).log_softmax(dim=-1).masked_fill(left_out, 0.0)
        for side in (student, teacher)
    )
    return mean_over(divergence(teacher, student), counts.amax(dim=-1))
