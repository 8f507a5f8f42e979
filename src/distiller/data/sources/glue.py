"""A folder of a GLUE task, or of SciTail, as distributed: tab-separated, with quotes as part of the text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from distiller.data.formats import read_text, unquoted_rows
from distiller.data.rows import Rows
from distiller.data.sources.source import Source
from distiller.labels import LabelKind

TRAIN = "train.tsv"
FILES = {"train": TRAIN, "validation": "dev.tsv"}
FILES_OF_TWO_GENRES = {
    "train": TRAIN,
    "validation_matched": "dev_matched.tsv",
    "validation_mismatched": "dev_mismatched.tsv",
}
FILES_OF_SCITAIL = {
    "train": "scitail_1.0_train.tsv",
    "validation": "scitail_1.0_dev.tsv",
    "test": "scitail_1.0_test.tsv",
}


@dataclass(frozen=True)
class _Layout:
    """How a task's files look.

    Attributes:
        header: The first line of train.tsv; for a task without one, what the columns are called here.
        names: What the Hugging Face hub calls columns that are called otherwise here.
        metric: The metric of the GLUE leaderboard, where it is not the first of the task.
        label_kind: What its labels are.
        has_header: Whether its files have one.
        files: By split.
    """

    text: list[str]
    header: list[str]
    names: dict[str, str]
    metric: str | None = None
    label_kind: LabelKind = "classes"
    has_header: bool = True
    files: Mapping[str, str] = field(default_factory=lambda: FILES)


_PAIR = ["sentence1", "sentence2"]
_PARSES = ["sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse", "sentence2_parse"]
_OF_MNLI = ["index", "promptID", "pairID", "genre", *_PARSES]
_LAYOUTS = (
    _Layout(_PAIR, ["index", "sentence1", "sentence2", "label"], {}),
    _Layout(
        _PAIR,
        ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
        {"Quality": "label", "#1 String": "sentence1", "#2 String": "sentence2"},
        metric="f1",
    ),
    _Layout(
        _PAIR,
        ["index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2", "score"],
        {"score": "label"},
        metric="pearson",
        label_kind="numbers",
    ),
    _Layout(["question", "sentence"], ["index", "question", "sentence", "label"], {}),
    _Layout(
        ["question1", "question2"],
        ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
        {"is_duplicate": "label"},
        metric="f1",
    ),
    _Layout(
        _PAIR,
        [*_OF_MNLI, "sentence1", "sentence2", "label1", "gold_label"],
        {"gold_label": "label"},
        files=FILES_OF_TWO_GENRES,
    ),
    _Layout(["sentence"], ["sentence", "label"], {}),
    _Layout(["sentence"], ["source", "label", "mark", "sentence"], {}, metric="matthews", has_header=False),
    _Layout(
        ["premise", "hypothesis"],
        ["premise", "hypothesis", "label"],
        {},
        has_header=False,
        files=FILES_OF_SCITAIL,
    ),
)


class Glue(Source):
    """RTE, WNLI, MRPC, QQP, QNLI, MNLI, STS-B, CoLA, SST-2 or SciTail, by the first line of the training file.

    Columns have the names of the file, and those of the Hugging Face hub (`sentence`, `sentence1`, `label`, …) besides.
    The test files of GLUE have no labels, so it has no test split.
    """

    label = "label"

    def __init__(self, folder: Path, layout: _Layout, name: str) -> None:
        self.name = name
        self.metric = layout.metric
        self.text = layout.text
        self.label_kind = layout.label_kind
        self._folder = folder
        self._layout = layout

    @classmethod
    def opened(cls, name: str) -> "Glue | None":
        folder = Path(name).expanduser()
        layout = _layout(folder) if folder.is_dir() else None
        if layout is None or not all((folder / file).is_file() for file in layout.files.values()):
            return None
        return cls(folder, layout, name)

    @property
    def splits(self) -> list[str]:
        return [*self._layout.files]

    def _read(self, split: str) -> Rows:
        path = self._folder / self._layout.files[split]
        rows = unquoted_rows(path, read_text(path), None if self._layout.has_header else self._layout.header)
        hub = {new: rows.columns[old] for old, new in self._layout.names.items()}
        return Rows(rows.place, rows.unit, rows.numbers, {**rows.columns, **hub}, rows.typed)


def _layout(folder: Path) -> _Layout | None:
    if (folder / FILES_OF_SCITAIL["train"]).is_file():
        return next(layout for layout in _LAYOUTS if layout.files is FILES_OF_SCITAIL)
    if not (folder / TRAIN).is_file():
        return None
    first = read_text(folder / TRAIN).partition("\n")[0].rstrip("\r").split("\t")
    for layout in _LAYOUTS:
        if layout.has_header and first == layout.header:
            return layout
    # CoLA: source, 0 or 1, * or nothing, sentence.
    unnamed = len(first) == 4 and first[1] in ("0", "1") and first[2] in ("", "*")
    return next(layout for layout in _LAYOUTS if not layout.has_header) if unnamed else None
