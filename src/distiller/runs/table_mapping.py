"""How a table of runs that somebody else measured reads as run records."""

from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from distiller.errors import UserError, unknown
from distiller.runs.record import RunRecord
from distiller.runs.table import Table, is_json
from distiller.schema import Config, parse_yaml, read_text, validated

ABSENT = object()
"""In place of a cell: the record of this row has no such key."""

_KEYS = [name for name in RunRecord.model_fields if name != "id"]
SECTIONS = [name for name in _KEYS if get_origin(RunRecord.model_fields[name].annotation) is dict]


def _checked(value: Any) -> Any:
    if not is_json(value):
        raise ValueError(f"JSON has no {value!r}; write a number or a text, in quotes if it looks like a date")
    return value


Constant = Annotated[Any, AfterValidator(_checked)]


class Column(Config):
    """The column that a key of the record is read from; a record lacks the key where the cell is empty.

    `values` says what each value of the column reads as; that of an empty cell is `null`. `when` names columns, and of
    each the values with which the key means something: elsewhere the record lacks it.
    """

    column: str
    values: dict[Any, Constant] | None = None
    when: dict[str, list[Any]] = Field(default_factory=dict)

    def read(self, table: Table, field: str) -> list[Any]:
        """One value a row, or ABSENT.

        Raises:
            UserError: Naming the column, or the row.
        """
        cells = table.cells(self.column, f"{field} of the mapping")
        conditions = [(table.cells(name, f"{field}.when of the mapping"), kept) for name, kept in self.when.items()]
        return [
            self._value(cell, table.row(row), field) if all(of[row] in kept for of, kept in conditions) else ABSENT
            for row, cell in enumerate(cells)
        ]

    def _value(self, cell: Any, place: str, field: str) -> Any:
        if self.values is not None and isinstance(cell, Hashable) and cell in self.values:
            return self.values[cell]
        if cell is None:
            return ABSENT
        if self.values is not None:
            known = ", ".join(map(repr, self.values))
            raise UserError(place, f"column {self.column!r}: {cell!r} is none of {known}; add it to {field}.values")
        return cell


class Steps(Config):
    """A list of steps in the order that columns say.

    `places` has a step for each of some columns, whose cells say where in the list the step stands: 1 is the first, 0
    or empty that it is not there. `fields` are columns whose cells are a field of every step that lacks it.
    """

    places: Annotated[dict[str, dict[str, Constant]], Field(min_length=1)]
    fields: dict[str, str] = Field(default_factory=dict)

    def read(self, table: Table, field: str) -> list[list[dict[str, Any]]]:
        """The steps of each row.

        Raises:
            UserError: Naming the column, or the row.
        """
        named = f"{field}.%s of the mapping"
        places = {name: table.cells(name, named % "places") for name in self.places}
        fields = {name: table.cells(column, named % "fields") for name, column in self.fields.items()}
        return [
            [
                {
                    **{name: cells[row] for name, cells in fields.items() if cells[row] is not None},
                    **self.places[column],
                }
                for column in _in_order({name: cells[row] for name, cells in places.items()}, table.row(row))
            ]
            for row in range(len(table))
        ]


def _in_order(places: dict[str, Any], row: str) -> list[str]:
    """The columns whose step is there, by its place."""
    there: dict[float, str] = {}
    for column, place in places.items():
        if place is None or place == 0:
            continue
        if not isinstance(place, int | float) or place < 0 or place != int(place):
            raise UserError(row, f"column {column!r}: {place!r} is no place in a list; write 1, 2, …, or 0 for none")
        if place in there:
            raise UserError(row, f"columns {there[place]!r} and {column!r} are both in place {place}; change one")
        there[place] = column
    return [there[place] for place in sorted(there)]


def _as_column(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class TableMapping(Config):
    """What the dotted keys of run records are made of: columns, lists of steps, or what is the same in all rows."""

    columns: Annotated[dict[str, Annotated[Column, BeforeValidator(_as_column)]], Field(min_length=1)]
    ordered: dict[str, Steps] = Field(default_factory=dict)
    constants: dict[str, Constant] = Field(default_factory=dict)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a mapping.

        Raises:
            UserError: Naming the file, the field and the mend.
        """
        content = parse_yaml(read_text(Path(path)), str(path), "not valid YAML")
        if not isinstance(content, dict):
            raise UserError(str(path), "holds no fields; a mapping needs at least columns")
        return validated(cls, content, str(path))

    @model_validator(mode="after")
    def _keys_of_records(self) -> Self:
        keys = [*self.columns, *self.ordered, *self.constants]
        for key in keys:
            _check_key(key)
            if keys.count(key) > 1:
                raise ValueError(f"{key} is there twice; remove one")
            below = next((other for other in keys if other.startswith(f"{key}.")), None)
            if below is not None:
                raise ValueError(f"{below} lies in {key}, which is a key of its own; remove one")
        return self

    def contents(self, table: Table) -> Iterator[dict[str, Any]]:
        """What the table says of each of its runs, nested as in run.json.

        Raises:
            UserError: If the mapping does not fit the table, naming the column, or the row.
        """
        columns: dict[str, list[Any]] = {key: [value] * len(table) for key, value in self.constants.items()}
        columns |= {key: column.read(table, f"columns.{key}") for key, column in self.columns.items()}
        columns |= {key: steps.read(table, f"ordered.{key}") for key, steps in self.ordered.items()}
        paths = [key.split(".") for key in columns]
        for row in zip(*columns.values(), strict=True):
            yield _nested(zip(paths, row, strict=True))


def _check_key(key: str) -> None:
    first, *below = key.split(".")
    if first not in _KEYS:
        raise ValueError(unknown("key of a run record", first, _KEYS))
    if first in SECTIONS and not all(below or [""]):
        raise ValueError(f"{key!r} names nothing in {first}; write {first}.NAME")
    if first not in SECTIONS and below:
        raise ValueError(f"{key!r}: there is nothing in {first}; write {first}")


def _nested(values: Iterable[tuple[list[str], Any]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for (*sections, name), value in values:
        if value is ABSENT:
            continue
        section = nested
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value
    return nested
