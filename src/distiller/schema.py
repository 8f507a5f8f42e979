"""What every config type shares: unknown fields are refused with the near name, and errors read as one line."""

from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from distiller.errors import UserError, did_you_mean, unknown

C = TypeVar("C", bound="Config")
T = TypeVar("T")


class Config(BaseModel):
    """Base of all config types: immutable, and closed to fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        strangers = [name for name in content if name not in cls.model_fields]
        if strangers:
            mend = unknown("field", strangers[0], [*cls.model_fields])
            raise PydanticCustomError("unknown_field", "{mend}", {"mend": mend})
        return content

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some fields changed."""
        return type(self).model_validate({**self.model_dump(), **changes})


class _UniqueKeys(yaml.SafeLoader):
    """YAML's safe loader, but that of two equal keys the last does not win."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in names:
                line = key.start_mark.line + 1
                raise ValueError(f"the key {key.value!r} is there twice, again in line {line}; remove one")
            names.add(key.value)
        return node


def parse_yaml(text: str, place: str, problem: str) -> Any:
    """The content of a YAML text; what the loader makes of it lets errors of Python's own through.

    Raises:
        UserError: With `problem`, if it is no YAML or has a key twice; names `place`.
    """
    try:
        return yaml.load(text, _UniqueKeys)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise UserError(place, f"{problem}: {error}") from error


def read_text(path: Path) -> str:
    """The text of a YAML file.

    Raises:
        UserError: If it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(str(path), f"not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except FileNotFoundError as error:
        near = did_you_mean(path.name, [file.name for file in path.parent.glob("*.y*ml")])
        raise UserError(str(path), f"cannot be read: {error.strerror}{near}") from error
    except OSError as error:
        raise UserError(str(path), f"cannot be read: {error.strerror}") from error


def validated(kind: type[C], content: Any, source: str) -> C:
    """`content` as a config of that kind.

    Raises:
        UserError: Naming `source`, the field with its dotted path, and the mend.
    """
    return validated_by(TypeAdapter(kind), content, source)


def validated_by(adapter: "TypeAdapter[T]", content: Any, source: str) -> T:
    """As `validated`, for a union of configs."""
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        raise UserError(source, _describe(error, content)) from None


def _describe(error: ValidationError, content: Any) -> str:
    problems = error.errors(include_url=False)
    path, *others = [_dotted(problem["loc"], content) for problem in problems]
    more = f" (wrong as well: {', '.join(others)})" if others else ""
    return f"{path}{': ' if path else ''}{_mend(problems[0])}{more}"


def _mend(problem: Any) -> str:
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_invalid":
        known = [tag.strip("' ") for tag in context["expected_tags"].split(", ")]
        return unknown("type", context["tag"], known)
    if problem["type"] == "union_tag_not_found":
        return "needs a 'type'"
    if problem["type"] == "literal_error":
        known = [option.strip("' ") for option in context["expected"].replace(" or ", ", ").split(", ")]
        return unknown("value", problem["input"], known)
    if problem["type"] == "too_short":
        return f"give at least {context['min_length']}, not {problem['input']!r}"
    if problem["type"] == "too_long":
        return f"give at most {context['max_length']}, not {problem['input']!r}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] in ("unknown_field", "value_error", "missing"):
        return message
    return f"{message}, not {problem['input']!r}"


def _dotted(location: tuple[int | str, ...], content: Any) -> str:
    """The path as the user wrote it: pydantic adds the tag of a union to it, which is no key of the content."""
    parts: list[str] = []
    for part in location:
        is_tag = isinstance(content, dict) and part not in content and content.get("type") == part
        if is_tag:
            continue
        parts.append(str(part))
        content = _child(content, part)
    return ".".join(parts)


def _child(content: Any, part: int | str) -> Any:
    if isinstance(content, dict):
        return content.get(part)
    if isinstance(content, list) and isinstance(part, int) and part < len(content):
        return content[part]
    return None
