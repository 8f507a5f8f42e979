"""The typed description of one distillation, put together from the rooms' own config types."""

from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, model_validator

from distiller.augment import AugmentationConfig
from distiller.data import DataConfig
from distiller.errors import UserError
from distiller.files import write_text
from distiller.mapping import MappingConfig, Skip
from distiller.models import FinetuneConfig, StudentConfig, TeacherConfig
from distiller.objectives import ObjectiveConfig
from distiller.schema import Config, parse_yaml, read_text, validated
from distiller.store import StoreConfig
from distiller.tasks import TASKS, TaskName


class TrainingConfig(FinetuneConfig):
    """How the student learns: as a teacher does, but faster.

    `seed` is that of the student alone (drawn weights, order of texts, dropout); null is that of the pipeline.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None


class Pipeline(Config):
    """One choice per stage. `metric: null` is the dataset's customary metric, else the task's first."""

    task: TaskName = "classification"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    metric: str | None = None
    data: DataConfig
    teacher: TeacherConfig
    student: StudentConfig
    augmentation: AugmentationConfig = AugmentationConfig()
    mapping: MappingConfig = Skip()
    objective: ObjectiveConfig = ObjectiveConfig()
    store: StoreConfig = StoreConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="before")
    @classmethod
    def _default_prediction_loss_of_the_task(cls, content: Any) -> Any:
        return _with_prediction_loss(content) if isinstance(content, dict) else content

    @classmethod
    def from_yaml(cls, path: str | Path, changes: list[str] | None = None) -> Self:
        """Read a pipeline file; `changes` are `dotted.key=value`, the value read as YAML.

        Raises:
            UserError: Naming the file, the field and the mend.
        """
        return cls.from_text(read_text(Path(path)), str(path), changes)

    @classmethod
    def from_text(cls, text: str, source: str, changes: list[str] | None = None) -> Self:
        """As `from_yaml`, from text; `source` names it in errors."""
        content = parse_yaml(text, source, "not valid YAML")
        if not isinstance(content, dict):
            raise UserError(source, "holds no fields; a pipeline needs at least data, teacher and student")
        # The task goes first: what else is left out may depend on it.
        for change in sorted(changes or [], key=lambda change: not change.startswith("task=")):
            content = _changed(content, change, cls._defaults(content.get("task")))
        return validated(cls, content, source)

    @classmethod
    def _defaults(cls, task: Any) -> dict[str, Any]:
        """What the fields that may be left out hold then, in a pipeline of that task."""
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        fields = {name: default.model_dump() for name, default in defaults.items() if isinstance(default, Config)}
        of_the_task = _with_prediction_loss({"task": task}).get("objective", {})
        return {**fields, "objective": {**fields["objective"], **of_the_task}}

    def to_yaml(self, path: str | Path | None = None) -> str:
        """The pipeline as YAML, every field spelled out; written to `path` if one is given."""
        text = yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)
        if path is not None:
            write_text(Path(path), text)
        return text


def _with_prediction_loss(content: dict[str, Any]) -> dict[str, Any]:
    """That of the task: one output has no distribution for `kl` to compare, nor have classes that come together."""
    objective, task = content.get("objective", {}), TASKS.get(str(content.get("task")))
    if task is None or not isinstance(objective, dict) or "prediction" in objective:
        return content
    return {**content, "objective": {**objective, "prediction": {"type": task.default_prediction}}}


def _changed(content: dict[str, Any], change: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """`content` with one `dotted.key=value` applied; parts of the path that are absent or null become fields."""
    key, equals, value = change.partition("=")
    if not equals or not all(key.split(".")):
        raise UserError(f"--set {change}", "write dotted.key=value, e.g. training.epochs=5")
    parsed = parse_yaml(value, f"--set {change}", "the value is not valid YAML")
    return _with(content, key.split("."), parsed, change, defaults)


def _with(content: Any, path: list[str], value: Any, change: str, default: Any) -> dict[str, Any]:
    if content is not None and not isinstance(content, dict):
        raise UserError(f"--set {change}", f"{path[0]!r} stands below {content!r}, which has no fields")
    first, *rest = path
    fields = content or {}
    if not rest:
        return {**fields, first: value}
    below = default.get(first) if isinstance(default, dict) else None
    return {**fields, first: _with(fields.get(first, _type_alone(below)), rest, value, change, below)}


def _type_alone(default: Any) -> dict[str, Any] | None:
    """Which member of a union a default is: all else that it holds is filled in where the member is validated."""
    return {"type": default["type"]} if isinstance(default, dict) and "type" in default else None
