"""Whether a model that is already fine-tuned answers what the data asks."""

from typing import Any

from transformers import PretrainedConfig

from distiller.errors import UserError


def classes_in_order_of(model: PretrainedConfig, classes: list[str] | None, place: str) -> list[str] | None:
    """The data's classes in the order of the model's logits; None where the data has numbers.

    A model that names its classes decides the order; one that only numbers them (`LABEL_0`, …) has that of the data.

    Raises:
        UserError: At `place`, if the model has other classes than the data, or more than one output for numbers.
    """
    named: dict[Any, str] = dict(model.id2label or {})
    names = [str(named[index]) for index in range(len(named))]
    if classes is None and len(names) == 1:
        return None
    if classes is None:
        raise UserError(place, f"it has {len(names)} outputs, and numbers need 1; fine-tune it on them first")
    if len(names) != len(classes):
        raise UserError(place, f"it has {len(names)} classes ({_some(names)}), the data {_some(classes)}")
    if names == [f"LABEL_{index}" for index in range(len(names))]:
        return classes
    by_fold = {name.casefold(): name for name in classes}
    if len(by_fold) == len(classes) and {name.casefold() for name in names} == set(by_fold):
        return [by_fold[name.casefold()] for name in names]
    raise UserError(
        place, f"its classes ({_some(names)}) are not those of the data ({_some(classes)}); rename the labels"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
