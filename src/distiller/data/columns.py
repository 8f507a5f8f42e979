"""From rows to examples: the chosen columns, with every cell checked."""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any

from distiller.data.answers import answers_of, holds_answers
from distiller.data.examples import Examples
from distiller.data.rows import Rows, is_broken
from distiller.data.tags import tags_of, words_of
from distiller.errors import UserError
from distiller.labels import LabelKind


@dataclass(frozen=True)
class Columns:
    """Which columns hold the texts and the label, and what a label is."""

    text: list[str]
    label: str
    kind: LabelKind

    def examples(self, rows: Rows, classes: Collection[str] | None = None) -> Examples:
        """The examples in `rows`; with `classes`, the labels must be among these.

        Raises:
            UserError: Naming column and rows, for a column that is not there or a cell that is not usable.
        """
        texts = self.texts(rows)
        if self.kind == "answers":
            return Examples(texts, answers_of(rows, self.label, texts), _names(rows))
        if self.kind == "tags":
            tags = tags_of(rows, self.label, texts)
            self._refuse_new_classes(rows, tags, classes)
            return Examples(texts, tags)
        cells = rows.cells(self.label, "data.label")
        _refuse(rows, [_is_blank(cell) for cell in cells], self.label, "has no label", LABEL_MEND)
        if self.kind == "numbers":
            return Examples(texts, self._numbers(rows, cells))
        if self.kind == "sets":
            sets = self._sets(rows, cells)
            self._refuse_new_classes(rows, sets, classes)
            return Examples(texts, sets)
        self._refuse_odd_classes(rows, cells)
        labels = [_class_name(cell) for cell in cells]
        self._refuse_new_classes(rows, [(label,) for label in labels], classes)
        return Examples(texts, labels)

    def texts(self, rows: Rows, columns: list[str] | None = None) -> list[tuple[str, ...]]:
        """One tuple of texts per row, of these columns, or of those named `columns` there.

        Raises:
            UserError: As `examples`.
        """
        columns = columns or self.text
        if self.kind == "tags":
            return [(text,) for text in words_of(rows, columns[0])]
        return read_texts(rows, columns)

    def has_labels(self, rows: Rows, classes: Collection[str] | None = None) -> bool:
        """Whether any row has a label: benchmarks withhold those of their test splits, or write -1 in their place."""
        cells = rows.columns[self.label]
        if self.kind == "answers":
            return any(map(holds_answers, cells))
        if "-1" in (classes or []):
            return not all(_is_blank(cell) for cell in cells)
        return not all(_is_blank(cell) or _number(cell) == -1 for cell in cells)

    def _numbers(self, rows: Rows, cells: list[Any]) -> list[float]:
        numbers = [_number(cell) for cell in cells]
        odd = [not math.isfinite(number) for number in numbers]
        if any(odd):
            problem = f"holds {shortened(cells[odd.index(True)])}, which is no finite number"
            _refuse(rows, odd, self.label, problem, "correct or remove it, or set task: classification")
        return numbers

    def _sets(self, rows: Rows, cells: list[Any]) -> list[tuple[str, ...]]:
        lists = cells if rows.typed else [_as_list(cell) for cell in cells]
        odd = [not isinstance(cell, list) or any(isinstance(name, list | dict) for name in cell) for cell in lists]
        if any(odd):
            problem = f"holds {shortened(cells[odd.index(True)])}, which is no list of classes"
            form = "a list" if rows.typed else "a list as JSON has it"
            _refuse(rows, odd, self.label, problem, f'give each row {form}, e.g. ["billing", "urgent"] or []')
        blank = [any(map(_is_blank, cell)) for cell in lists]
        _refuse(rows, blank, self.label, "holds a class without a name", "name it, or leave it out")
        _refuse(rows, [any(map(is_broken, cell)) for cell in lists], self.label, BROKEN, BROKEN_MEND)
        return [tuple(sorted({_class_name(name) for name in cell})) for cell in lists]

    def _refuse_odd_classes(self, rows: Rows, cells: list[Any]) -> None:
        nested = [isinstance(cell, list | dict) for cell in cells]
        if any(nested):
            problem = f"holds {shortened(cells[nested.index(True)])}, which names no class"
            _refuse(rows, nested, self.label, problem, "give each row one label, a word or a number")
        _refuse_broken(rows, cells, self.label)

    def _refuse_new_classes(
        self, rows: Rows, labels: Sequence[tuple[str, ...]], classes: Collection[str] | None
    ) -> None:
        if classes is None:
            return
        strange = [[label for label in of_one if label not in classes] for of_one in labels]
        new = [bool(of_one) for of_one in strange]
        if any(new):
            problem = f"holds the label {strange[new.index(True)][0]!r}, which no training example has"
            _refuse(rows, new, self.label, problem, "correct it, or add training examples of it")


BROKEN, BROKEN_MEND = "holds half a character (a lone surrogate)", "write it anew in whole characters"
NAME = "id"
"""The column of what each question is called, as official evaluation scripts want it."""
LABEL_MEND = "label these rows, or remove them (texts without labels belong in data.unlabelled)"


def read_texts(rows: Rows, columns: list[str]) -> list[tuple[str, ...]]:
    """One tuple of texts per row, exactly as they stand there.

    Raises:
        UserError: Naming column and rows, for a column that is not there or a cell that is empty or no text.
    """
    return list(zip(*(_text_cells(rows, column) for column in columns), strict=True))


def _names(rows: Rows) -> list[str] | None:
    """What each row is called; nothing where it has no name."""
    if NAME not in rows.columns:
        return None
    names = ["" if _is_blank(cell) else str(cell) for cell in rows.columns[NAME]]
    first = {name: position for position, name in reversed([*enumerate(names)])}
    twice = [bool(name) and first[name] != position for position, name in enumerate(names)]
    _refuse(rows, twice, NAME, "holds a name that is there before", "give each question its own")
    return names


def _text_cells(rows: Rows, column: str) -> list[str]:
    cells = rows.cells(column, "data.text")
    _refuse(rows, [_is_blank(cell) for cell in cells], column, "is empty", "write a text there or remove these rows")
    others = [name for name in rows.columns if name != column]
    choose = f"choose one of {', '.join(others)} with data.text" if others else "give a column of texts"
    numeric = [_is_number(cell) for cell in cells]
    if rows.typed:
        _refuse(rows, [not isinstance(cell, str) for cell in cells], column, "holds no text", choose)
        _refuse_broken(rows, cells, column)
    elif sum(numeric) > len(cells) / 2:
        _refuse(rows, numeric, column, "holds numbers", choose)
    return cells


def _refuse_broken(rows: Rows, cells: list[Any], column: str) -> None:
    broken = [is_broken(cell) for cell in cells]
    _refuse(rows, broken, column, BROKEN, BROKEN_MEND)


def _refuse(rows: Rows, bad: list[bool], column: str, problem: str, mend: str) -> None:
    positions = [position for position, is_bad in enumerate(bad) if is_bad]
    if positions:
        raise UserError(rows.place, f"column {column!r} {problem} ({rows.where(positions)}): {mend}")


def _as_list(cell: str) -> Any:
    """What a cell of text holds as JSON; itself where it is none."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _is_blank(cell: Any) -> bool:
    """Whether nothing stands there: null, only white space, or the not-a-number that data frames write for null."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _class_name(cell: Any) -> str:
    """A label as the name of its class: true and false as JSON has them, whole numbers without a point."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _number(cell: Any) -> float:
    """A label as a number; not a number where it is none."""
    if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):  # Python alone reads these as numbers
        return math.nan
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan
    except OverflowError:
        return math.inf


def _is_number(cell: Any) -> bool:
    return not math.isnan(_number(cell))
