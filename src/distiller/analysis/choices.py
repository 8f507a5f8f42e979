"""The choices of a table of runs: what differed between pipelines, and where each choice was there to be made."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.schema import parse_yaml

Group = Literal[
    "augmentation",
    "mixup",
    "mapping",
    "intermediate objective",
    "prediction objective",
    "training",
    "student",
    "other",
]
Array = NDArray[np.float64]

PREFIX = "pipeline."
STEPS, MIXUP, WORDS_CHANGED = "augmentation.steps", "augmentation.mixup", "augmentation.p"
NO_STEPS = "no list of steps that can be read; write it as JSON"
GROUPS: dict[str, Group] = {
    "augmentation.mixup.": "mixup",
    "augmentation.": "augmentation",
    "mapping.": "mapping",
    "objective.intermediate.": "intermediate objective",
    "objective.": "prediction objective",
    "training.": "training",
    "student.": "student",
}
NO_CHOICES = (
    "seed",
    "task",
    "metric",
    "data.",
    "teacher.",
    "store.",
    "training.seed",
    "training.checkpoint_minutes",
    "augmentation.columns",
)
"""Fields of a pipeline that say what is distilled, or what changes no result."""
NONE, OTHER, WITHOUT = "none", "other", "no"
NO_MIXUP = ("none", "false", "no", "")
NUMBERS_FROM = 7
"""So many different numbers are a range; fewer are choices each for itself."""
RUNS_A_LEVEL = 2
ORDERS_OF_MAGNITUDE = 10.0


@dataclass(frozen=True)
class Choice:
    """One field of a pipeline that differed.

    Attributes:
        name: Its path in a pipeline.
        group: The stage that it belongs to.
        levels: What was chosen from, as text; empty for a number.
        codes: Shape [runs]: the place in `levels`, or for a number where it lies in its range, from 0 to 1 (by orders
            of magnitude if they are many); NaN where there was nothing to choose, or nothing is known.
        ends: Lowest and highest number; the same twice for levels.
    """

    name: str
    group: Group
    levels: tuple[str, ...]
    codes: Array
    ends: tuple[float, float] = (0.0, 0.0)

    @property
    def made(self) -> NDArray[np.bool_]:
        """Shape [runs]: where there was something to choose."""
        return ~np.isnan(self.codes)

    def of(self, rows: NDArray[Any]) -> "Choice":
        """The same choice in some of the runs."""
        return Choice(self.name, self.group, self.levels, self.codes[rows], self.ends)

    def text(self, code: float) -> str:
        """What is meant by a code."""
        if np.isnan(code):
            return ""
        if self.levels:
            return self.levels[int(code)]
        low, high = self.ends
        number = low * (high / low) ** code if is_wide(low, high) else low + code * (high - low)
        return f"{number:.3g}"


def numbered(columns: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Shape [rows], counted from 0: the same number for rows that agree in all columns; NaN agrees with NaN."""
    frame = pd.DataFrame(dict(enumerate(columns)))
    return np.asarray(frame.groupby(list(frame), dropna=False).ngroup(), np.int64)


def group_of(name: str) -> Group:
    """The stage that a field of a pipeline belongs to."""
    return next((group for prefix, group in GROUPS.items() if f"{name}.".startswith(prefix)), "other")


def find_choices(frame: pd.DataFrame) -> tuple[list[Choice], list[str]]:
    """The choices that differ between the runs of a table of run records, and sentences on what was joined or left.

    Steps of augmentation become one choice for each kind of step (whether, and how), and one for the share of words.
    """
    columns = settings(frame)
    if not any(name.startswith("student.") and values.nunique() > 1 for name, values in columns.items()):
        columns |= {name: _keys(frame[name]) for name in ("student.model", "student.layers") if name in frame}
    choices = [choice for name, values in columns.items() if (choice := _choice(name, values)) is not None]
    left = sorted(set(columns) - {choice.name for choice in choices})
    different = {name: columns[name].dropna().nunique() for name in left}
    kept, notes = _without_copies(choices)
    merged = [choice.name for choice in kept if OTHER in choice.levels]
    if merged:
        notes.append(
            f"Values that fewer than {RUNS_A_LEVEL} runs have are taken together as {OTHER!r}: {', '.join(merged)}."
        )
    said = {
        "Without a value in any run": [name for name in left if different[name] == 0],
        "The same in all runs": [name for name in left if different[name] == 1],
        f"With no value that {RUNS_A_LEVEL} runs have": [name for name in left if different[name] > 1],
    }
    notes.extend(f"{why}, so that nothing is said of it: {', '.join(names)}." for why, names in said.items() if names)
    return kept, notes


def settings(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """What was chosen in each run, by name of the choice; a section that may be absent says so itself."""
    names = [str(name) for name in frame if str(name).startswith(PREFIX)]
    fields = {name.removeprefix(PREFIX): frame[name] for name in names}
    columns = {name: values for name, values in fields.items() if not name.startswith(NO_CHOICES)}
    columns |= _steps(columns.pop(STEPS)) if STEPS in columns else {}
    columns |= _mixup(columns)
    return {name: _keys(values) for name, values in columns.items()}


def _steps(steps: pd.Series) -> dict[str, pd.Series]:
    """Ordered steps as choices: for each kind whether it is there, and how; and the share of words they change."""
    lists = [_list(value) for value in steps]
    kinds = sorted({step["type"] for each in lists for step in each})
    columns: dict[str, list[Any]] = {f"augmentation.{kind}": [_how(each, kind) for each in lists] for kind in kinds}
    columns[WORDS_CHANGED] = [_share(each) for each in lists]
    return {name: pd.Series(values, index=steps.index, dtype=object) for name, values in columns.items()}


def _list(value: Any) -> list[dict[str, Any]]:
    steps = parse_yaml(value, f"{PREFIX}{STEPS}", NO_STEPS) if isinstance(value, str) else value
    steps = list(steps) if isinstance(steps, list | tuple | np.ndarray) else []
    return [step if isinstance(step, dict) and "type" in step else {"type": str(step)} for step in steps]


def _how(steps: Sequence[dict[str, Any]], kind: str) -> str:
    found = [str(step.get("action") or "yes") for step in steps if step["type"] == kind]
    return " and ".join(found) or WITHOUT


def _share(steps: Sequence[dict[str, Any]]) -> float | None:
    shares = [float(step["p"]) for step in steps if step.get("p") is not None]
    return sum(shares) / len(shares) if shares else None


def _mixup(columns: dict[str, pd.Series]) -> dict[str, pd.Series]:
    """Whether there is mixup, which records say by its section being there."""
    parts = [values for name, values in columns.items() if name == MIXUP or name.startswith(f"{MIXUP}.")]
    columns.pop(MIXUP, None)
    if not parts:
        return {}
    there = [any(str(_key(value)).lower() not in NO_MIXUP for value in row) for row in zip(*parts, strict=True)]
    return {MIXUP: pd.Series(["yes" if mixed else WITHOUT for mixed in there], index=parts[0].index)}


def is_missing(value: Any) -> bool:
    """Whether a cell says nothing."""
    return value is None or value is pd.NA or (isinstance(value, float) and not np.isfinite(value))


def is_number(value: Any) -> bool:
    """Whether a cell is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _keys(values: Iterable[Any]) -> pd.Series:
    """Values that can be compared, as they are: pandas would make None a number where the others are numbers."""
    return pd.Series([_key(value) for value in values], dtype=object)


def _key(value: Any) -> Any:
    """A value that can be compared: None for what is missing, JSON for lists and sections."""
    if isinstance(value, list | dict | tuple | np.ndarray):
        return json.dumps(value, sort_keys=True, default=_plain)
    if is_missing(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _choice(name: str, values: pd.Series) -> Choice | None:
    """The choice of a column; None if it does not differ."""
    if name.endswith(".type"):
        values = pd.Series([NONE if value is None else value for value in values], dtype=object)
    there = values[values.notna()]
    if there.nunique() < 2:
        return None
    if all(map(is_number, there)):
        numbers = values.to_numpy(np.float64, na_value=np.nan)
        if there.nunique() >= NUMBERS_FROM:
            return _range(name, numbers)
    return _levels(name, values)


def _range(name: str, numbers: NDArray[Any]) -> Choice:
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    wide = is_wide(low, high)
    if wide:
        numbers, (start, end) = np.log(numbers), np.log([low, high])
    else:
        start, end = low, high
    codes = (numbers - start) / (end - start)
    return Choice(name, group_of(name), (), codes, (low, high))


def is_wide(low: float, high: float) -> bool:
    """Whether numbers span orders of magnitude, so that their ratios count."""
    return low > 0 and high / low >= ORDERS_OF_MAGNITUDE


def _levels(name: str, values: pd.Series) -> Choice | None:
    counts = values.value_counts()
    often = {value for value, count in counts.items() if count >= RUNS_A_LEVEL}
    values = pd.Series([value if value is None or value in often else OTHER for value in values], dtype=object)
    there = sorted(values.dropna().unique(), key=lambda value: (value == OTHER, *_order(value)))
    if len(there) < 2:
        return None
    places = {value: place for place, value in enumerate(there)}
    codes = np.array([np.nan if value is None else places[value] for value in values], float)
    return Choice(name, group_of(name), tuple(_text(value) for value in there), codes)


def _plain(value: Any) -> Any:
    """What JSON has no form for, in one."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _order(value: Any) -> tuple[str, Any]:
    """Numbers by size, all else as text."""
    return ("", value) if isinstance(value, bool | int | float) else ("text", str(value))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else WITHOUT
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _without_copies(choices: Sequence[Choice]) -> tuple[list[Choice], list[str]]:
    """One of those that always change together, since no run can tell which of them mattered."""
    kept: dict[bytes, Choice] = {}
    notes = []
    for choice in choices:
        first = kept.setdefault(_partition(choice.codes), choice)
        if first is not choice:
            notes.append(f"{choice.name} changes exactly when {first.name} does: what is said of one is of both.")
    return list(kept.values()), notes


def _partition(codes: Array) -> bytes:
    """The same for codes that tell the same runs apart."""
    filled = np.where(np.isnan(codes), -1.0, codes)
    _, first, inverse = np.unique(filled, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[inverse], np.int32).tobytes()
