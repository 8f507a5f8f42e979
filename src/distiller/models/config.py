"""The `teacher` and `student` parts of a pipeline."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from distiller.schema import Config

Precision = Literal["auto", "float32", "bfloat16"]
Weighting = Literal["mean", "per-example"]


class FinetuneConfig(Config):
    """How a model learns.

    `warmup` is the share of all steps over which the learning rate rises; it falls to 0 from there. A checkpoint is
    written after each epoch, and within one after `checkpoint_minutes`. `precision: auto` is bfloat16 where the
    hardware has it.
    """

    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    precision: Precision = "auto"
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 10.0


class TeacherConfig(Config):
    """Where the teacher comes from: `asset:NAME`, a path or a hub id. `finetune: null` says that it is fine-tuned.

    `models` makes an ensemble of several, whose logits are averaged, or weighed text by text; `model` is then the first
    of them. Layers are those of the first.
    """

    model: str
    models: Annotated[list[str], Field(min_length=1)] | None = None
    weighting: Weighting = "mean"
    finetune: FinetuneConfig | None = FinetuneConfig()

    @property
    def members(self) -> list[str]:
        """All that teach, the first before the others."""
        return self.models or [self.model]

    @property
    def places(self) -> list[str]:
        """The fields that name the members."""
        return ["teacher.model"] if self.models is None else [f"teacher.models.{n}" for n in range(len(self.models))]

    @property
    def name(self) -> str:
        """As run records have it."""
        return " + ".join(self.members)

    @model_validator(mode="before")
    @classmethod
    def _model_is_the_first(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "model" in content or not isinstance(content.get("models"), list):
            return content
        return {**content, "model": next(iter(content["models"]), "")}

    @model_validator(mode="after")
    def _members_that_differ(self) -> "TeacherConfig":
        if self.model != self.members[0]:
            mend = "give models alone, or both alike"
            raise ValueError(f"model is {self.model!r}, and the first of models {self.members[0]!r}; {mend}")
        repeated = [name for name in self.members if self.members.count(name) > 1]
        if repeated and self.finetune is None:
            raise ValueError(f"models has {repeated[0]!r} twice, which without finetune is one teacher; name it once")
        if self.weighting == "per-example" and len(self.members) == 1:
            raise ValueError("weighting 'per-example' weighs teachers against each other; give two models or more")
        return self


class StudentConfig(Config):
    """A model of its own (`model`), or some of the teacher's layers (`layers`)."""

    model: str | None = None
    layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
    init: Literal["pretrained", "teacher", "random"] = "pretrained"

    @property
    def initialisation(self) -> Literal["pretrained", "teacher", "random", "own checkpoint"]:
        """What its weights are before it learns."""
        return "own checkpoint" if self.model is not None and self.init == "pretrained" else self.init

    @model_validator(mode="after")
    def _one_origin(self) -> "StudentConfig":
        if (self.model is None) == (self.layers is None):
            raise ValueError("give either 'layers' (of the teacher) or 'model' (a path or hub id)")
        if self.layers and self.layers != sorted(set(self.layers)):
            raise ValueError(f"layers must rise and not repeat, unlike {self.layers}")
        if self.model is not None and self.init == "teacher":
            raise ValueError("init 'teacher' copies layers of the teacher, so it needs 'layers' in place of 'model'")
        return self
