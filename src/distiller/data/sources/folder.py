"""A folder of files that are called after their splits: train.csv, validation.jsonl, …"""

import re
from pathlib import Path

from distiller.data.formats import SUFFIXES, read_file
from distiller.data.rows import Rows
from distiller.data.sources.source import Source
from distiller.errors import UserError

VERSION = re.compile(r"-v\d+\.\d+$")
"""SQuAD's files are called train-v2.0.json and dev-v2.0.json."""

QUESTIONS = ".json"


class Folder(Source):
    """Files of rows; formats may differ between them."""

    def __init__(self, files: dict[str, Path], name: str) -> None:
        self.name = name
        self._files = files
        self.take_from({path.suffix for path in files.values()})

    @classmethod
    def opened(cls, name: str) -> "Folder | None":
        folder = Path(name).expanduser()
        if not folder.is_dir():
            return None
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        # Beside tables a JSON file is what somebody has noted about them.
        files = [path for path in files if path.suffix.lower() != QUESTIONS] or files
        if not files:
            raise UserError(name, f"holds no data files; they end in {', '.join(SUFFIXES)}")
        by_split: dict[str, Path] = {}
        for path in files:
            other = by_split.setdefault(_split_of(path), path)
            if other != path:
                raise UserError(name, f"holds both {other.name} and {path.name} for one split; move one away")
        return cls(by_split, name)

    @property
    def splits(self) -> list[str]:
        return [*self._files]

    def _read(self, split: str) -> Rows:
        return read_file(self._files[split])


def _split_of(path: Path) -> str:
    return VERSION.sub("", path.stem) if path.suffix.lower() == QUESTIONS else path.stem
