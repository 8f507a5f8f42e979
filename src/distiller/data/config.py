"""The `data` part of a pipeline."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from distiller.schema import Config

REST = "rest"
"""As `unlabelled`: the training texts beyond `limit`."""


class Splits(Config):
    """What the source calls its splits.

    With the defaults, validation may also be called dev, valid or val there, and test is `test` if that has labels.
    What the source lacks is cut from train, and so is validation if it is null.
    """

    train: str = "train"
    validation: str | None = "validation"
    test: str | None = None


def _listed(text: object) -> object:
    """One column as a list of one."""
    return [text] if isinstance(text, str) else text


class DataConfig(Config):
    """Where examples come from.

    `text` are one or two columns. Null means what the source itself knows, or else `text` and `label`. `limit` is the
    most labelled training examples; `unlabelled` a further source of texts, which only the teacher labels, or `rest`.
    The parts of a context that is longer than `max_length` overlap by `stride` tokens, null a third of that.
    """

    source: str
    text: Annotated[list[str], Field(min_length=1, max_length=2), BeforeValidator(_listed)] | None = None
    label: str | None = None
    splits: Splits = Splits()
    max_length: Annotated[int, Field(ge=8)] = 128
    stride: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    unlabelled: str | None = None

    @property
    def overlap(self) -> int:
        """Of the parts of a context, in tokens."""
        return self.max_length // 3 if self.stride is None else self.stride
