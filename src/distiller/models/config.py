"""The `teacher` and `student` parts of a pipeline."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distiller.schema import Config

Precision = Literal["auto", "float32", "bfloat16"]


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
    """Where the teacher comes from: `asset:NAME`, a path or a hub id. `finetune: null` says that it is fine-tuned."""

    model: str
    finetune: FinetuneConfig | None = FinetuneConfig()


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
