"""What every step of augmentation is: its config, and what that builds."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Protocol

from pydantic import Field

from distiller.schema import Config


class Augmenter(Protocol):
    """Changes texts."""

    def __call__(self, texts: Sequence[str], seed: int) -> list[str]:
        """One text for each, in their order; what becomes of a text depends on it and the seed alone.

        Raises:
            UserError: If an engine that it works with fails.
        """


class Step(Config, ABC):
    """The config of an augmenter. `p` is the fraction of the words of a text that are touched, and of at least one.

    Attributes:
        kept: Whether its texts take long to make, so that they are kept on disk.
    """

    kept: ClassVar[bool] = False

    p: Annotated[float, Field(ge=0, le=1)] = 0.1

    @abstractmethod
    def build(self) -> Augmenter:
        """Load what it works with.

        Raises:
            UserError: If that is not there, with the line that installs it.
        """

    def fingerprint(self) -> str:
        """Of all besides this config on which its texts depend, such as the weights of a model."""
        return ""
