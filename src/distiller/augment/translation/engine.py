"""What every translation engine is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from distiller.schema import Config

Translation = Callable[[Sequence[str]], list[str]]
"""Sentences to sentences, in their order; what becomes of one depends on no other."""

PLACE = "back_translation.engine"
"""Where errors of an engine are."""


class Engine(Config, ABC):
    """The config of an engine that translates from a language, and back into it."""

    @abstractmethod
    def there_and_back(self) -> tuple[Translation, Translation]:
        """Load it: what translates into the other language, and what translates back.

        Raises:
            UserError: If it is not installed, with the line that installs it; of the two, if it fails.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Of all besides this config on which its translations depend.

        Raises:
            UserError: As `there_and_back`.
        """
