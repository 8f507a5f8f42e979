"""The fields of a pipeline that a search chooses, what it chooses from, and under which conditions."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from distiller.errors import UserError, did_you_mean
from distiller.search.point import ANY

BUILT_IN = ("paper", "full")


@dataclass(frozen=True)
class Condition:
    """Under which values of another dimension one is there, or under all but which."""

    values: tuple[Any, ...]
    negated: bool

    def holds(self, value: Any) -> bool:
        return (value in self.values) != self.negated


@dataclass(frozen=True)
class Dimension:
    """One field of the space.

    Attributes:
        path: Dotted, as in a pipeline file.
        distribution: What it is drawn from; choices that are no plain values stand there as JSON.
        choices: What stands in the pipeline for each choice of the distribution; none of a range.
        when: By path of another dimension under which of its values this one is there at all.
    """

    path: str
    distribution: BaseDistribution
    choices: tuple[Any, ...]
    when: Mapping[str, Condition]

    def is_there(self, point: Mapping[str, Any]) -> bool:
        """Whether its conditions hold at a point that has all that they look at."""
        return all(path in point and condition.holds(point[path]) for path, condition in self.when.items())

    def value(self, drawn: Any) -> Any:
        """What stands in the pipeline for what was drawn."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self.choices[self.distribution.choices.index(drawn)]
        return drawn

    def drawn(self, value: Any) -> Any:
        """What a sampler would have drawn for what stands in the pipeline."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self.distribution.choices[self.choices.index(value)]
        return value

    def position(self, drawn: Any) -> float:
        """Where in its range what was drawn lies, from 0 to 1; by orders of magnitude if it is drawn so."""
        bounds: Any = self.distribution
        low, high, place = (np.log(end) if bounds.log else end for end in (bounds.low, bounds.high, drawn))
        return float((place - low) / (high - low)) if high > low else 0.0

    def holds(self, value: Any) -> bool:
        """Whether that can stand in the pipeline."""
        if isinstance(self.distribution, CategoricalDistribution):
            return value in self.choices
        return _is_number(value) and bool(self.distribution._contains(float(value)))


@dataclass(frozen=True)
class Space:
    """All of them, each after those that it depends on."""

    dimensions: tuple[Dimension, ...]

    def suggested(self, trial: Trial, before: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """A point: what the sampler proposes for a trial, or what the trial has already.

        Args:
            trial: Of a study.
            before: Called with the path of each dimension before a value of it is drawn.
        """
        point: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.is_there(point):
                before(dimension.path)
                point[dimension.path] = dimension.value(_suggested(trial, dimension))
        return point

    def with_each(self) -> list[dict[str, Any]]:
        """For each dimension a point, as far as that takes, in which it is there."""
        known = {dimension.path: dimension for dimension in self.dimensions}

        def settled(dimension: Dimension, value: Any) -> dict[str, Any]:
            point = {dimension.path: value}
            for path, condition in dimension.when.items():
                other = known[path]
                wanted = next(choice for choice in [*other.choices, *condition.values] if condition.holds(choice))
                point = {**settled(other, wanted), **point}
            return point

        return [settled(one, one.choices[0] if one.choices else _low(one)) for one in self.dimensions]

    def points(self) -> list[dict[str, Any]]:
        """Every point, in the order of the file.

        Raises:
            UserError: If a dimension is a range, which has no end.
        """
        found: list[dict[str, Any]] = [{}]
        for dimension in self.dimensions:
            if not dimension.choices:
                raise UserError(f"space.{dimension.path}", "is a range, and a grid has choices; list them, or use tpe")
            found = [
                extended
                for point in found
                for extended in (
                    [{**point, dimension.path: value} for value in dimension.choices]
                    if dimension.is_there(point)
                    else [point]
                )
            ]
        return found

    def drawn(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A point as the sampler has it."""
        return {one.path: one.drawn(point[one.path]) for one in self.dimensions if one.path in point}


def _low(dimension: Dimension) -> Any:
    bounds: Any = dimension.distribution
    return bounds.low


def _suggested(trial: Trial, dimension: Dimension) -> Any:
    path, distribution = dimension.path, dimension.distribution
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(path, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(path, distribution.low, distribution.high, log=distribution.log)
    bounds: Any = distribution
    return trial.suggest_float(path, bounds.low, bounds.high, log=bounds.log)


def read_space(content: Any, place: str) -> Space:
    """The space that a search file describes: `paper`, `full`, or fields with choices and ranges.

    Raises:
        UserError: Naming the field, for an empty list, a range the wrong way round, or a condition on no other field.
    """
    if isinstance(content, str):
        if content not in BUILT_IN:
            mend = f"unknown space {content!r}{did_you_mean(content, [*BUILT_IN])}; give paper, full, or fields"
            raise UserError(f"{place}: space", mend)
        return _built_in(content)
    if not isinstance(content, dict) or not content:
        raise UserError(f"{place}: space", "has no fields; give paper, full, or fields with choices and ranges")
    return _space(content, place)


@cache
def _built_in(name: str) -> Space:
    text = (files("distiller.search") / "spaces" / f"{name}.yaml").read_text(encoding="utf-8")
    return _space(yaml.safe_load(text), name)


def _space(content: Mapping[str, Any], place: str) -> Space:
    dimensions = {path: _dimension(path, given, f"{place}: space.{path}") for path, given in content.items()}
    ordered: dict[str, Dimension] = {}
    while len(ordered) < len(dimensions):
        ready = [d for d in dimensions.values() if d.path not in ordered and all(path in ordered for path in d.when)]
        for dimension in ready:
            ordered[dimension.path] = dimension
        if not ready:
            _refuse_conditions(dimensions, place)
    for dimension in ordered.values():
        for path, condition in dimension.when.items():
            _refuse_values_that_never_are(dimension, dimensions[path], condition.values, place)
    return Space(tuple(ordered.values()))


def _refuse_conditions(dimensions: Mapping[str, Dimension], place: str) -> None:
    for dimension in dimensions.values():
        for path in dimension.when:
            if path not in dimensions:
                mend = f"depends on {path!r}, which is not in the space{did_you_mean(path, [*dimensions])}"
                raise UserError(f"{place}: space.{dimension.path}", f"{mend}; add it, or remove the condition")
    circle = ", ".join(dimension.path for dimension in dimensions.values() if dimension.when)
    raise UserError(f"{place}: space", f"conditions go round in a circle ({circle}); remove one")


def _refuse_values_that_never_are(one: Dimension, other: Dimension, values: Sequence[Any], place: str) -> None:
    for value in values:
        if not other.holds(value):
            mend = f"has a condition on {other.path} being {value!r}, which that never is; correct it"
            raise UserError(f"{place}: space.{one.path}", mend)


def _dimension(path: str, given: Any, place: str) -> Dimension:
    if not path or not all(path.split(".")) or path.endswith(ANY):
        raise UserError(place, "is no dotted field of a pipeline, such as training.learning_rate")
    when: Any = {}
    if isinstance(given, dict) and ("values" in given or "when" in given):
        strangers = [name for name in given if name not in ("values", "when", "low", "high", "log")]
        if strangers:
            raise UserError(place, f"unknown field {strangers[0]!r}; known: values, when, low, high, log")
        when = given.get("when", {})
        given = given["values"] if "values" in given else {name: given[name] for name in given if name != "when"}
    if not isinstance(when, dict):
        raise UserError(place, "its condition is no field with values; write when: {other.field: value}")
    conditions = {other: _condition(asked) for other, asked in when.items()}
    if isinstance(given, list):
        return Dimension(path, _choices(given, place), tuple(given), conditions)
    return Dimension(path, _range(given, place), (), conditions)


def _condition(asked: Any) -> Condition:
    """Of a value, a list of values, or `{not: …}` with either."""
    if isinstance(asked, dict) and {*asked} == {"not"}:
        return Condition(_condition(asked["not"]).values, negated=True)
    return Condition(tuple(asked) if isinstance(asked, list) else (asked,), negated=False)


def _choices(given: list[Any], place: str) -> CategoricalDistribution:
    if not given:
        raise UserError(place, "has no choices; list some")
    labels = [_label(choice) for choice in given]
    twice = [label for number, label in enumerate(labels) if label in labels[:number]]
    if twice:
        raise UserError(place, f"has the choice {twice[0]!r} twice; remove one")
    return CategoricalDistribution(labels)


def _range(given: Any, place: str) -> BaseDistribution:
    if not isinstance(given, dict) or not {"low", "high"} <= {*given} <= {"low", "high", "log"}:
        raise UserError(place, "is neither a list of choices nor a range {low: …, high: …, log: true or false}")
    low, high, log = _as_number(given["low"]), _as_number(given["high"]), given.get("log", False)
    if not (_is_number(low) and _is_number(high)) or not isinstance(log, bool):
        raise UserError(place, "low and high have to be numbers, and log true or false")
    if low > high:
        raise UserError(place, f"the range goes from {low} down to {high}; swap low and high")
    if log and low <= 0:
        raise UserError(place, f"a range on a logarithmic scale cannot begin at {low}; give a positive low")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _as_number(bound: Any) -> Any:
    """YAML takes 1e-5, without a point, for a text."""
    try:
        return float(bound) if isinstance(bound, str) else bound
    except ValueError:
        return bound


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _label(choice: Any) -> Any:
    """A choice as the study's storage can hold it: plain values as they are, others as JSON."""
    if choice is None or isinstance(choice, bool | int | float | str):
        return choice
    return json.dumps(choice, sort_keys=True)
