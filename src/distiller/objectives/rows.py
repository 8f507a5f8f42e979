"""Which rows of a batch count: padding never does, in value or in gradient."""

import torch
from torch import Tensor


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
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape")
    counts = torch.ones(student.shape[:-1], device=student.device, dtype=torch.bool) if mask is None else mask.bool()
    if counts.shape != student.shape[:-1]:
        raise ValueError(f"a mask {tuple(counts.shape)} does not fit rows {tuple(student.shape[:-1])}")
    dtype = torch.promote_types(student.dtype, torch.float32)
    zero = torch.zeros((), dtype=dtype, device=student.device)
    rows = counts.unsqueeze(-1)
    # Set to zero, not multiplied by it: what lies in padding may be infinite.
    student, teacher = (torch.where(rows, side.to(dtype), zero) for side in (student, teacher.detach()))
    return student, teacher, counts.to(dtype)


def mean_over(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of `values` [...] over the rows that count; 0 if none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1.0)
