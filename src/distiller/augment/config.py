"""The `augmentation` part of a pipeline."""

from typing import Annotated

from pydantic import Field

from distiller.augment.back_translation import BackTranslation
from distiller.augment.contextual import Contextual
from distiller.augment.mixup import MixupConfig
from distiller.augment.random_words import RandomWords
from distiller.augment.spelling import Spelling
from distiller.augment.synonym import Synonym
from distiller.schema import Config

StepConfig = Annotated[Contextual | RandomWords | Synonym | BackTranslation | Spelling, Field(discriminator="type")]


class AugmentationConfig(Config):
    """What the student learns from besides the texts of the data; the teacher alone labels it.

    `steps` are done one after the other, `copies` times with other seeds; `columns` are those of `data.text` that are
    changed, null all of them. `mixup` mixes what is in a batch.
    """

    steps: list[StepConfig] = Field(default_factory=list)
    copies: Annotated[int, Field(ge=1)] = 1
    columns: list[str] | None = None
    mixup: MixupConfig | None = None
