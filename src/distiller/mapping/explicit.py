"""Pairs that the user names."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from distiller.errors import UserError
from distiller.mapping.pairs import LayerPair, Mapping


def _weighted(pair: Any) -> Any:
    return [*pair, 1.0] if isinstance(pair, list | tuple) and len(pair) == 2 else pair


Layer = Annotated[int, Field(ge=0, strict=True)]
Weight = Annotated[float, Field(gt=0)]


class Explicit(Mapping):
    """`pairs: [[student, teacher], [student, teacher, weight], …]`; a weight that is not given is 1."""

    type: Literal["explicit"] = "explicit"
    pairs: Annotated[list[Annotated[tuple[Layer, Layer, Weight], BeforeValidator(_weighted)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_pair_once(self) -> "Explicit":
        named = [(student, teacher) for student, teacher, _ in self.pairs]
        twice = next((pair for pair in named if named.count(pair) > 1), None)
        if twice is not None:
            raise ValueError(f"the pair {[*twice]} is there twice")
        return self

    def between(self, student_layers: int, teacher_layers: int) -> list[LayerPair]:
        for student, teacher, _ in self.pairs:
            _check(student, student_layers, "student")
            _check(teacher, teacher_layers, "teacher")
        return [*self.pairs]


def _check(layer: int, depth: int, model: str) -> None:
    if layer > depth:
        raise UserError("mapping.pairs", f"the {model} has no hidden state {layer}; its are 0 (embeddings) to {depth}")
