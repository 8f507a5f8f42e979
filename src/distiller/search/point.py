"""A point of a search space as the content of a pipeline file: fields of a base pipeline with others in their place."""

from collections.abc import Mapping
from typing import Any

from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.schema import validated

ANY = "*"
"""In a path: every entry of a list."""


def placed(base: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a pipeline with the values of a point in their places.

    A part whose `type` becomes another keeps its weight alone, since its other fields are those of the old type; one
    whose `type` becomes null is null itself. Parents are placed before what stands in them.

    Args:
        base: Content of a pipeline file, every field spelled out.
        point: Values by dotted path; `augmentation.steps.*.p` is that field of every step.

    Raises:
        UserError: If a path leads below something that has no fields.
    """
    content: Any = dict(base)
    for path in sorted(point, key=lambda path: (path.count("."), not path.endswith(".type"))):
        content = _with(content, path.split("."), point[path])
    return dict(content)


def pipeline_at(base: Pipeline, point: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a point.

    Raises:
        UserError: If it is none.
    """
    return validated(Pipeline, placed(base.model_dump(), point), "point")


def _with(content: Any, path: list[str], value: Any) -> Any:
    first, *rest = path
    if first == ANY and not isinstance(content, list | None):
        raise UserError("space", f"{ANY!r} stands below {content!r}, which is no list; correct the path")
    if first == ANY:
        return [_with(entry, rest, value) for entry in content or []]
    if content is not None and not isinstance(content, dict):
        raise UserError("space", f"{first!r} stands below {content!r}, which has no fields; correct the path")
    fields = dict(content or {})
    if rest == ["type"]:
        return {**fields, first: _of_type(fields.get(first), value)}
    return {**fields, first: _with(fields.get(first), rest, value) if rest else value}


def _of_type(part: Any, kind: Any) -> Any:
    """A part with that type."""
    if kind is None:
        return None
    if isinstance(part, dict) and part.get("type") == kind:
        return part
    weight = {"weight": part["weight"]} if isinstance(part, dict) and "weight" in part else {}
    return {"type": kind, **weight}
