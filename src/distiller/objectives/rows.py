"""Which rows of a batch count: padding never does, in value or in gradient."""

import torch
from torch import Tensor

from distiller.models.pooling import counted_side

ROUNDING = 16
"""Units of rounding that a sum may be off by."""


def counted(student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Both sides in at least float32, the teacher's detached, with rows that do not count set to zero.

    Args:
        student: [..., width].
        teacher: Of the same shape.
        mask: [...], nonzero where a row counts; None if all do.

    Returns:
        Student, teacher, and the mask [...] as numbers of their type.

    Raises:
        ValueError: If the shapes differ, or the mask is not one number a row.
    """
    _check_alike(student, teacher)
    return counted_of_any_width(student, teacher, mask)


def counted_of_any_width(student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """As `counted`, where the widths may differ: one kind of row a side, as many rows."""
    if student.shape[:-1] != teacher.shape[:-1]:
        raise ValueError(f"rows of student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape")
    student, counts = counted_side(student, mask)
    teacher, _ = counted_side(teacher.detach(), mask)
    return student, teacher, counts


def counted_difference(student: Tensor, teacher: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Student less teacher, and the mask as numbers: as the sides that `counted` gives, in half the passes."""
    _check_alike(student, teacher)
    wide = torch.promote_types(student.dtype, torch.float32)
    return counted_side(student.to(wide) - teacher.detach(), mask)


def _check_alike(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape")


def smallest_variation(size: Tensor) -> Tensor:
    """How large a deviation from the mean has to be to be more than rounding, for values of that norm (and type)."""
    limits = torch.finfo(size.dtype)
    # Relative to the values: what is always small varies all the same. The square of less is no number of full digits.
    return (ROUNDING * limits.eps * size.detach()).clamp(min=limits.tiny**0.5)


def mean_over(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of `values` [...] over the rows that count; 0 if none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1.0)
