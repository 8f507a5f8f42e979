"""File formats: CSV, TSV, JSON lines, Parquet, CoNLL and SQuAD as rows, with the line numbers that an editor shows.

The readers that data frames bring pad rows that are too short and do not know line numbers, so text formats are read
with the standard library.
"""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from distiller.data.rows import Rows
from distiller.data.squad import questions
from distiller.errors import UserError
from distiller.labels import LabelKind

Line = tuple[int, list[str]]


@dataclass(frozen=True)
class Known:
    """What a format says of its columns.

    Attributes:
        text: Which of them are texts.
        label: Which is the label.
        kind: What labels are.
    """

    text: list[str]
    label: str
    kind: LabelKind


OTHER_SEPARATORS = (";", "|", "\t")
csv.field_size_limit(sys.maxsize)  # the library's own limit refuses long documents


def read_file(path: Path) -> Rows:
    """The rows of a file, by its suffix, which is one of `SUFFIXES` in either case.

    Raises:
        UserError: If it cannot be read, is not UTF-8, has no rows, or is malformed; names the line.
    """
    return _READERS[path.suffix.lower()](path)


def read_text(path: Path, encoding: str = "utf-8-sig") -> str:
    """The text of a file; a byte order mark is no part of it.

    Raises:
        UserError: If it cannot be read, is empty, or is not in this encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror}); check the path and its permissions") from error
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mend = f"is not UTF-8 (line {line}, byte {error.start}); save it as UTF-8, e.g. iconv -f latin1 -t utf8"
        raise UserError(str(path), mend) from error
    if not text.strip():
        raise UserError(str(path), "is empty; give a file with rows")
    return text


def quoted_rows(path: Path, text: str, delimiter: str) -> Rows:
    """Rows of delimited text in which cells may be quoted, with a header."""
    return _with_header(path, _quoted_lines(path, text, delimiter))


def unquoted_rows(path: Path, text: str, header: list[str] | None = None) -> Rows:
    """Rows of tab-separated text in which quotes are part of the cells; `header` if the text itself has none."""
    return _with_header(path, _unquoted_lines(text), header)


def _csv(path: Path) -> Rows:
    text = read_text(path)
    _refuse_other_separator(path, text.strip("\r\n").splitlines()[0])
    return quoted_rows(path, text, ",")


def _refuse_other_separator(path: Path, header: str) -> None:
    """Spreadsheets write CSV with semicolons where the comma is in numbers: all would be one column."""
    if len(_names(header, ",")) > 1:
        return
    for separator in OTHER_SEPARATORS:
        if len(_names(header, separator)) > 1:
            raise UserError(str(path), f"its separator is {separator!r}: save it with commas")


def _names(header: str, separator: str) -> list[str]:
    return next(csv.reader([header], delimiter=separator), [])


def _tsv(path: Path) -> Rows:
    return quoted_rows(path, read_text(path), "\t")


def _quoted_lines(path: Path, text: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    first = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            mend = "quote cells that hold quotes or separators, and double the quotes in them"
            raise UserError(str(path), f"the row that begins in line {first} is malformed ({error}); {mend}") from error
        if cells is None:
            return
        if cells:
            yield first, cells
        first = reader.line_num + 1


def _unquoted_lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip("\r"):
            yield number, line.removesuffix("\r").split("\t")


def _with_header(path: Path, lines: Iterator[Line], header: list[str] | None = None) -> Rows:
    names = header or next(lines)[1]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(str(path), f"two columns are called {twice[0]!r}; rename one")
    numbers, rows = [], []
    for number, cells in lines:
        if len(cells) != len(names):
            mend = f"has {len(cells)} cells where the header has {len(names)}; mend that line, or quote its separators"
            raise UserError(f"{path} line {number}", mend)
        numbers.append(number)
        rows.append(cells)
    if not rows:
        raise UserError(str(path), "has a header and no rows; give a file with rows")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return Rows(str(path), "line", numbers, columns, typed=False)


def _json_lines(path: Path) -> Rows:
    numbers, rows = [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            numbers.append(number)
            rows.append(_json_object(line, f"{path} line {number}"))
    names = dict.fromkeys(name for row in rows for name in row)
    return Rows(str(path), "line", numbers, {name: [row.get(name) for row in rows] for name in names}, typed=True)


def _json_object(line: str, place: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except RecursionError as error:
        raise UserError(
            place, "is nested too deeply; write one JSON object of texts and labels on each line"
        ) from error
    except ValueError as error:
        raise UserError(place, f"is not JSON ({error}); write one JSON object on each line") from error
    if not isinstance(content, dict):
        raise UserError(place, "is no JSON object; write one on each line, with a key for each column")
    return content


def _parquet(path: Path) -> Rows:
    try:
        columns = parquet.read_table(path).to_pydict()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(str(path), f"is not readable as Parquet ({reason}); write it anew") from error
    count = max(map(len, columns.values()), default=0)
    if not count:
        raise UserError(str(path), "has no rows; give a file with rows")
    return Rows(str(path), "row", range(1, count + 1), columns, typed=True)


def _conll(path: Path) -> Rows:
    """One word a line, its tag in the last column, an empty line after each sentence.

    Columns are parted by tabs if most lines have any, else by spaces. Lines before a sentence that begin with `# ` are
    remarks, unless they end with a tag and have as many columns as others; `-DOCSTART-` is no word.
    """
    lines = [(number, line.strip("\r")) for number, line in enumerate(read_text(path).split("\n"), start=1)]
    full = [line for _, line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    if not full:
        raise UserError(str(path), "has no sentences; write a word and its tag on each line")
    tabs = sum("\t" in line for line in full) > len(full) / 2
    plain = [_cells(line, tabs=tabs) for line in full if not line.startswith("# ")]
    columns = Counter(map(len, plain)).most_common(1)[0][0] if plain else 1
    if columns < 2:
        raise UserError(str(path), "has one column; write a word and its tag on each line, with a tab between")
    said = {cells[-1] for cells in plain}
    remarks = {line for line in full if _is_remark(line, columns, said, tabs=tabs)}
    sentences = [*_sentences(path, lines, columns, remarks, tabs=tabs)]
    numbers, words, tags = (list(side) for side in zip(*sentences, strict=True))
    return Rows(str(path), "line", numbers, {"text": words, "label": tags}, typed=True)


def _sentences(
    path: Path, lines: Sequence[tuple[int, str]], columns: int, remarks: Collection[str], *, tabs: bool
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Of each the line where it begins, its words and their tags."""
    words: list[str] = []
    tags: list[str] = []
    begins = 0
    for number, line in [*lines, (len(lines) + 1, "")]:
        cells = _cells(line, tabs=tabs)
        if not line.strip() or cells[0] == "-DOCSTART-":
            if words:
                yield begins, words, tags
            words, tags = [], []
            continue
        if not words and line in remarks:
            continue
        if len(cells) != columns:
            mend = f"has {len(cells)} columns where others have {columns}; write a word and its tag there"
            raise UserError(f"{path} line {number}", mend)
        begins = begins if words else number
        words.append(cells[0])
        tags.append(cells[-1])


def _is_remark(line: str, columns: int, tags: Collection[str], *, tabs: bool) -> bool:
    cells = _cells(line, tabs=tabs)
    return line.startswith("# ") and (len(cells) != columns or cells[-1] not in tags)


def _cells(line: str, *, tabs: bool) -> list[str]:
    parts = line.split("\t") if tabs else line.split(" ")
    return [part.strip(" ") for part in parts if tabs or part]


def _squad(path: Path) -> Rows:
    return questions(str(path), read_text(path))


_READERS: dict[str, Callable[[Path], Rows]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".conll": _conll,
    ".json": _squad,
}
SUFFIXES = [*_READERS]
KNOWN = {
    ".conll": Known(["text"], "label", "tags"),
    ".json": Known(["question", "context"], "answers", "answers"),
}
"""By the suffix, of formats that are made for one task."""
