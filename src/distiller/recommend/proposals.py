"""Pipelines worth asking about on a dataset: those that were run elsewhere, and new ones out of their parts."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from distiller.analysis.choices import is_missing
from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.schema import parse_yaml

PREFIX = "pipeline."
PARTS: dict[str, tuple[str, ...]] = {
    "augmentation": ("augmentation.steps", "augmentation.copies"),
    "mixup": ("augmentation.mixup",),
    "loss between layers": ("objective.intermediate", "mapping"),
    "loss on predictions": ("objective.prediction",),
    "hard labels": ("objective.hard_label",),
    "initialisation": ("student.init",),
    "training": ("training.learning_rate", "training.epochs", "training.batch_size"),
}
"""What is taken from a known pipeline as a whole: by what it is called, the fields that go together."""
MAY_BE_NULL = ("augmentation.mixup", "objective.intermediate")
KNOWN_AT_MOST, MIXED = 300, 300
Part = dict[str, Any]


def proposals(base: Pipeline, known: pd.DataFrame, random: np.random.Generator) -> list[Pipeline]:
    """`base` with the parts of known pipelines in place of its own, each pipeline once.

    First those that were run, at most 300 by lot; then as many of which each part is that of another known one. What is
    no pipeline together with `base` is left out.
    """
    tried = list({json.dumps(parts, sort_keys=True): parts for parts in _tried(known)}.values())
    some = [tried[place] for place in random.permutation(len(tried))[:KNOWN_AT_MOST]]
    mixed = [{name: tried[random.integers(len(tried))][name] for name in PARTS} for _ in range(MIXED if tried else 0)]
    content = base.model_dump()
    found = {
        pipeline.model_dump_json(): pipeline
        for parts in [*some, *mixed]
        if (pipeline := _with(content, parts)) is not None
    }
    return list(found.values())


def parts_of(pipeline: Pipeline) -> dict[str, str]:
    """Each part of a pipeline as text, for comparison."""
    content = pipeline.model_dump()
    return {name: json.dumps([_at(content, field) for field in fields]) for name, fields in PARTS.items()}


def _tried(known: pd.DataFrame) -> Iterator[dict[str, Part]]:
    """The parts of each known run's pipeline: by field, what stands there; of what a table does not say, nothing."""
    columns = [str(name) for name in known if str(name).startswith(PREFIX)]
    below = {
        field: [name for name in columns if f"{name}.".startswith(f"{PREFIX}{field}.")]
        for fields in PARTS.values()
        for field in fields
    }
    for row in known[columns].to_dict("records"):
        yield {
            name: {field: value for field in fields if (value := _said(row, field, below[field])) is not ...}
            for name, fields in PARTS.items()
        }


def _said(row: Mapping[Any, Any], field: str, columns: list[str]) -> Any:
    """What a run has in a field of its pipeline; `...` if that is not known."""
    there = {name.removeprefix(f"{PREFIX}{field}").removeprefix("."): row[name] for name in columns}
    there = {name: value for name, value in there.items() if not is_missing(value)}
    if not there:
        return None if columns and field in MAY_BE_NULL else ...
    if "" in there:
        value = there[""]
        return (
            parse_yaml(value, field, "no list that can be read") if isinstance(value, str) and "[" in value else value
        )
    nested: dict[str, Any] = {}
    for name, value in there.items():
        *parents, last = name.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value.item() if isinstance(value, np.generic) else value
    return nested


def _with(content: Mapping[str, Any], parts: Mapping[str, Part]) -> Pipeline | None:
    changed = dict(content)
    for part in parts.values():
        for field, value in part.items():
            changed = _put(changed, field.split("."), value)
    try:
        return Pipeline.model_validate(changed)
    except (ValidationError, UserError):
        return None


def _put(content: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**content, first: _put(content.get(first) or {}, rest, value) if rest else value}


def _at(content: Any, field: str) -> Any:
    for name in field.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content
