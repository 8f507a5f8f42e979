"""The search file."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, model_validator

from distiller.errors import UserError
from distiller.pipeline import Pipeline
from distiller.schema import Config, validated
from distiller.search.executors import ExecutorConfig, Local
from distiller.search.space import Space, read_space

Goal = Literal["retention", "latency", "parameters"]
Sampler = Literal["tpe", "prior", "gp", "random", "grid", "nsga2"]
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: object) -> object:
    """Seconds of a number, or of a text such as 90s, 30m, 2h or 1d."""
    if not isinstance(text, str):
        return text
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time; write seconds, or e.g. 90s, 30m, 2h, 1d")
    return float(found[1]) * SECONDS[found[2]]


class Confirm(Config):
    """How the winner is found to be one: the `top` trials are run again with so many further seeds of the student."""

    top: Annotated[int, Field(ge=1)] = 3
    seeds: Annotated[int, Field(ge=1)] = 2


class SearchConfig(Config):
    """What is searched, how, and for how long.

    `objectives` are what is sought: `retention` on validation (the more the better), `latency` on a CPU and
    `parameters` (the less the better); with several, the answer is a front. The search ends when `trials` have ended,
    or `timeout` has passed, or trials have cost `budget` seconds of training together, or one has come to a retention
    of `target`. `pruner: asha` stops trials that are not among the best `1/reduction` of those that have come as far:
    after `rung`, `reduction · rung`, … epochs. `first` are points that are tried before the sampler proposes any: what
    fields of the space are there. `knowledge` is a folder of known runs, by which `warm` points are chosen that are
    tried after these. `sampler: prior` chooses all further ones by what known runs foretell and this search has
    measured; where none is named it is taken if there is knowledge and one objective, else `tpe`. With it the search
    ends, too, when no point is expected to gain `worth` of retention for an hour of training.
    """

    base: str
    space: Any
    sampler: Sampler | None = None
    pruner: Literal["asha", "none"] = "asha"
    rung: Annotated[int, Field(ge=1)] = 1
    reduction: Annotated[int, Field(ge=2)] = 3
    objectives: Annotated[list[Goal], Field(min_length=1, default_factory=lambda: ["retention"])]
    trials: Annotated[int, Field(ge=1)] = 40
    timeout: Annotated[float, Field(gt=0), BeforeValidator(seconds)] | None = None
    budget: Annotated[float, Field(gt=0), BeforeValidator(seconds)] | None = None
    target: Annotated[float, Field(gt=0)] | None = None
    worth: Annotated[float, Field(gt=0)] | None = None
    first: list[dict[str, Any]] = Field(default_factory=list)
    knowledge: str | None = None
    warm: Annotated[int, Field(ge=1)] = 5
    confirm: Confirm | None = Confirm()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    executor: ExecutorConfig = Local()
    storage: str | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if len({*self.objectives}) < len(self.objectives):
            raise ValueError("objectives has one twice; remove it")
        if self.objectives[0] != "retention":
            raise ValueError("objectives has to begin with retention: the smallest student of all knows nothing")
        if len(self.objectives) > 1 and self.pruner == "asha":
            raise ValueError("pruner: asha compares one objective, and there are several; set pruner: none")
        if len(self.objectives) > 1 and self.sampler in ("gp", "prior"):
            raise ValueError(f"sampler: {self.sampler} has one objective here; use tpe or nsga2")
        if self.sampler == "prior" and self.knowledge is None:
            raise ValueError("sampler: prior asks what known runs foretell; name them with knowledge, or use tpe")
        if self.worth is not None and self.chosen_sampler != "prior":
            raise ValueError("worth asks what known runs foretell; set knowledge and sampler: prior, or remove worth")
        if self.sampler == "nsga2" and len(self.objectives) == 1:
            raise ValueError("sampler: nsga2 is for several objectives; use tpe")
        return self

    @property
    def chosen_sampler(self) -> Sampler:
        """The one that is named, or the best for what is known."""
        if self.sampler is not None:
            return self.sampler
        return "prior" if self.knowledge is not None and len(self.objectives) == 1 else "tpe"

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a search file.

        Raises:
            UserError: Naming the file, the field and the mend.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
            raise UserError(str(path), f"cannot be read as a search file ({reason}); mend or name another") from error
        if not isinstance(content, dict):
            raise UserError(str(path), "holds no fields; a search needs at least base and space")
        for field in ("base", "knowledge"):
            if isinstance(content.get(field), str):
                content = {**content, field: str(path.parent / Path(content[field]).expanduser())}
        return validated(cls, content, str(path))

    def pipeline(self) -> Pipeline:
        """The base pipeline.

        Raises:
            UserError: If it is not usable.
        """
        return Pipeline.from_yaml(self.base)

    def read_space(self) -> Space:
        """The space.

        Raises:
            UserError: If it is not usable.
        """
        return read_space(self.space, "search")
