"""What every source of examples offers."""

from abc import ABC, abstractmethod

from distiller.data.formats import KNOWN
from distiller.data.rows import Rows
from distiller.errors import UserError, unknown
from distiller.labels import LabelKind


class Source(ABC):
    """A place where rows come from, split by split.

    Attributes:
        name: As the user wrote it.
        text: The columns that the source itself knows to be texts; None if the user has to say.
        label: The column that it knows to be the label.
        label_kind: What its labels are; None if the user's task says.
        metric: What models are customarily judged by on it; None if the task's own metric is.
    """

    name: str
    text: list[str] | None = None
    label: str | None = None
    label_kind: LabelKind | None = None
    metric: str | None = None

    def take_from(self, suffixes: set[str]) -> None:
        """Know of the columns what all files of a source say by their suffixes."""
        known = [KNOWN.get(suffix.lower()) for suffix in suffixes]
        if len(known) == 1 and known[0] is not None:
            self.text, self.label, self.label_kind = known[0].text, known[0].label, known[0].kind

    @classmethod
    @abstractmethod
    def opened(cls, name: str) -> "Source | None":
        """The source of that name, if it is of this kind; nothing is read yet."""

    @property
    @abstractmethod
    def splits(self) -> list[str]:
        """The names of its splits."""

    def read(self, split: str) -> Rows:
        """The rows of a split.

        Raises:
            UserError: If there is no such split, or it cannot be read.
        """
        if split not in self.splits:
            raise UserError(self.name, f"{unknown('split', split, self.splits)}; name one in data.splits")
        return self._read(split)

    @abstractmethod
    def _read(self, split: str) -> Rows:
        """The rows of a split that exists."""
