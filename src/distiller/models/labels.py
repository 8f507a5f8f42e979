"""Whether a teacher that is already fine-tuned speaks of the same classes as the data."""

from typing import Any

from transformers import PretrainedConfig

from distiller.errors import UserError


def classes_in_teacher_order(teacher: PretrainedConfig, classes: list[str]) -> list[str]:
    """The data's classes in the order of the teacher's logits.

    A teacher that names its classes decides the order; one that only numbers them (`LABEL_0`, …) has that of the data.

    Raises:
        UserError: If the teacher has other classes than the data.
    """
    named: dict[Any, str] = dict(teacher.id2label or {})
    names = [str(named[index]) for index in range(len(named))]
    if len(names) != len(classes):
        raise UserError("teacher.model", f"it has {len(names)} classes ({_some(names)}), the data {_some(classes)}")
    if names == [f"LABEL_{index}" for index in range(len(names))]:
        return classes
    by_fold = {name.casefold(): name for name in classes}
    if len(by_fold) == len(classes) and {name.casefold() for name in names} == set(by_fold):
        return [by_fold[name.casefold()] for name in names]
    raise UserError(
        "teacher.model", f"its classes ({_some(names)}) are not those of the data ({_some(classes)}); rename the labels"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
