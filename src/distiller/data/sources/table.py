"""One file: CSV, TSV, JSON lines or Parquet. It has one split, train."""

from pathlib import Path

from distiller.data.formats import SUFFIXES, read_file
from distiller.data.rows import Rows
from distiller.data.sources.source import Source


class Table(Source):
    """A file of rows, by its suffix."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path
        self.take_from({path.suffix})

    @classmethod
    def opened(cls, name: str) -> "Table | None":
        path = Path(name).expanduser()
        return cls(path, name) if path.suffix.lower() in SUFFIXES and path.is_file() else None

    @property
    def splits(self) -> list[str]:
        return ["train"]

    def _read(self, split: str) -> Rows:  # noqa: ARG002 - the file is its one split
        return read_file(self._path)
