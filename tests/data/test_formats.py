"""Files as people have them: what is wrong with one is said with its line and the mend."""

import json
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.data import DataConfig, load
from distiller.data.formats import _READERS, quoted_rows, read_file
from distiller.errors import UserError

GOOD = "text,label\n" + "".join(f"text {row},{'ab'[row % 2]}\n" for row in range(20))


def _refusal(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as refusal:
        load(DataConfig(source=str(path)), "tags" if path.suffix == ".conll" else "classes", seed=0)
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file(tmp_path: Path, suffix: str, content: bytes) -> None:
    assert _refusal(tmp_path / f"x.{suffix}", content) == ": is empty; give a file with rows"


def test_a_header_alone(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "x.csv", "text,label\n") == ": has a header and no rows; give a file with rows"


def test_a_file_in_latin_1(tmp_path: Path) -> None:
    content = "text,label\ngood,a\ncafé,b\n".encode("latin-1")
    message = _refusal(tmp_path / "x.csv", content)
    assert (
        message
        == f": is not UTF-8 (line 3, byte {content.index(0xE9)}); save it as UTF-8, e.g. iconv -f latin1 -t utf8"
    )


def test_a_file_in_utf_16_as_spreadsheets_write_it(tmp_path: Path) -> None:
    assert ": is not UTF-8 (line 1, byte 0)" in _refusal(tmp_path / "x.tsv", GOOD.encode("utf-16"))


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(GOOD, encoding="utf-8-sig")
    (tmp_path / "y.csv").write_text(GOOD, encoding="utf-8")
    assert read_file(tmp_path / "x.csv").columns == read_file(tmp_path / "y.csv").columns


@pytest.mark.parametrize(("row", "cells"), [("just a text", 1), ("a text, with a comma,b", 3)])
def test_a_ragged_row_is_named_by_its_line_though_texts_before_it_span_lines(
    tmp_path: Path, row: str, cells: int
) -> None:
    content = f'text,label\n"two\nlines",a\n\n{row}\nlast,b\n'
    line = content.split("\n").index(row) + 1
    message = _refusal(tmp_path / "x.csv", content)
    assert message.startswith(f" line {line}: has {cells} cells where the header has 2; mend that line")


def test_a_quote_that_is_never_closed_is_named_by_the_line_where_it_opens(tmp_path: Path) -> None:
    message = _refusal(tmp_path / "x.csv", 'text,label\ngood,a\n"bad,b\nugly,a\n')
    assert message.startswith(": the row that begins in line 3 is malformed")
    assert "double the quotes in them" in message


def test_quotes_that_are_not_doubled_are_refused_rather_than_lost(tmp_path: Path) -> None:
    message = _refusal(tmp_path / "x.tsv", 'text\tlabel\ngood\ta\n"Hello" she said\tb\n')
    assert message.startswith(": the row that begins in line 3 is malformed")


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "x.csv", "text,label,text\na,b,c\n") == ": two columns are called 'text'; rename one"


@pytest.mark.parametrize("line", ['{"text": "bad"', "text", "{'text': 'x'}"])
def test_a_line_that_is_not_json(tmp_path: Path, line: str) -> None:
    message = _refusal(tmp_path / "x.jsonl", f'{{"text": "good", "label": "a"}}\n\n{line}\n')
    assert message.startswith(" line 3: is not JSON (")
    assert message.endswith("write one JSON object on each line")


def test_a_json_line_that_is_no_object(tmp_path: Path) -> None:
    message = _refusal(tmp_path / "x.jsonl", '{"text": "good", "label": "a"}\n["bad", "b"]\n')
    assert message == " line 2: is no JSON object; write one on each line, with a key for each column"


def test_a_json_line_that_is_nested_too_deeply(tmp_path: Path) -> None:
    deep = '{"text": ' + "[" * 100_000 + "]" * 100_000 + ', "label": "a"}'
    message = _refusal(tmp_path / "x.jsonl", f'{{"text": "good", "label": "a"}}\n{deep}\n')
    assert message == " line 2: is nested too deeply; write one JSON object of texts and labels on each line"


@pytest.mark.parametrize("depth", [100, 600])
def test_a_json_line_that_is_nested_deeply_enough_to_be_read_is_refused_for_what_it_holds(
    tmp_path: Path, depth: int
) -> None:
    deep = "[" * depth + "]" * depth
    assert ": column 'text' holds no text (line 1)" in _refusal(
        tmp_path / "x.jsonl", f'{{"text": {deep}, "label": "a"}}\n'
    )
    assert "which names no class (line 1)" in _refusal(tmp_path / "x.jsonl", f'{{"text": "x", "label": {deep}}}\n')


def test_half_a_character_that_json_escapes_is_named_by_its_line(tmp_path: Path) -> None:
    lines = [r'{"text": "good \ud83d\ude00", "label": "a"}', r'{"text": "bad \ud83d", "label": "b"}']
    message = _refusal(tmp_path / "x.jsonl", "\n".join(lines))
    assert message.startswith(": column 'text' holds half a character (a lone surrogate) (line 2): ")


@pytest.mark.parametrize("suffix", ["CSV", "Csv"])
def test_a_suffix_may_be_in_capitals(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x.{suffix}").write_text(GOOD)
    (tmp_path / "y.csv").write_text(GOOD)
    assert read_file(tmp_path / f"x.{suffix}").columns == read_file(tmp_path / "y.csv").columns


def test_a_parquet_file_that_is_none(tmp_path: Path) -> None:
    message = _refusal(tmp_path / "x.parquet", "text,label\n")
    assert message.startswith(": is not readable as Parquet (")
    assert message.endswith("write it anew")


def test_a_parquet_file_without_rows(tmp_path: Path) -> None:
    pandas.DataFrame({"text": [], "label": []}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UserError, match=r"x\.parquet: has no rows; give a file with rows"):
        read_file(tmp_path / "x.parquet")


def test_a_file_that_cannot_be_read_because_it_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "train.csv").mkdir()
    with pytest.raises(UserError, match=r"train\.csv: cannot be read \(.+\); check the path and its permissions"):
        load(DataConfig(source=str(tmp_path)), "classes", seed=0)


def test_a_document_longer_than_the_csv_library_allows_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("text,label\n" + "word " * 100_000 + ",a\n")
    assert len(read_file(tmp_path / "x.csv").columns["text"][0]) == 500_000


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
TABLES = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8).map(
    lambda rows: pandas.DataFrame(rows, columns=["text", "label"], dtype="object")
)


@given(TABLES)
def test_what_pandas_writes_as_csv_is_read_as_it_was(frame: pandas.DataFrame) -> None:
    rows = quoted_rows(Path("x.csv"), frame.to_csv(index=False, quoting=1, lineterminator="\n"), ",")
    assert rows.columns == frame.to_dict("list")


@given(TABLES)
def test_line_numbers_are_where_the_rows_begin(frame: pandas.DataFrame) -> None:
    frame = frame.map(lambda cell: cell.replace("\r", "\n"))
    text = frame.to_csv(index=False, quoting=1, lineterminator="\n")
    rows = quoted_rows(Path("x.csv"), text, ",")
    # Each row takes one line and as many more as its cells have line breaks.
    breaks = [sum(cell.count("\n") for cell in row) for row in frame.itertuples(index=False)]
    assert list(rows.numbers) == [2 + row + sum(breaks[:row]) for row in range(len(breaks))]


@given(TABLES)
def test_json_lines_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, frame: pandas.DataFrame
) -> None:
    path = tmp_path_factory.mktemp("json") / "x.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in frame.to_dict("records")), "utf-8")
    assert read_file(path).columns == frame.to_dict("list")


@pytest.mark.parametrize("separator", [";", "|", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_csv_with_another_separator_is_named_by_it(tmp_path: Path, separator: str, quote: str) -> None:
    rows = [["id", "team", "text"], ["1", "sales", "a text, with a comma"], ["2", "support", "another"]]
    content = "".join(separator.join(f"{quote}{cell}{quote}" for cell in row) + "\r\n" for row in rows)
    assert _refusal(tmp_path / "x.csv", content) == f": its separator is {separator!r}: save it with commas"


def test_other_separators_are_part_of_names_and_cells(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a;b,label\nx;y|z,1\n")
    assert read_file(path).columns == {"a;b": ["x;y|z"], "label": ["1"]}
    path.write_text('"a;b"\nx;y\n')
    assert read_file(path).columns == {"a;b": ["x;y"]}
    path.write_text("text\nx;y\n")
    assert read_file(path).columns == {"text": ["x;y"]}


CONLL = """# id = 1
-DOCSTART- -X- O

U.N. NNP B-org
official NN O

# CD O
good JJ O
"""


def test_conll_has_a_word_a_line_and_an_empty_line_after_a_sentence(tmp_path: Path) -> None:
    """As the shared task of 2003 has it; a word may be a `#`, and a remark is none."""
    path = tmp_path / "train.conll"
    path.write_text(CONLL)
    rows = read_file(path)
    assert rows.columns == {"text": [["U.N.", "official"], ["#", "good"]], "label": [["B-org", "O"], ["O", "O"]]}
    assert rows.numbers == [4, 7]


@pytest.mark.parametrize(
    "content",
    [
        "a\tB-x\r\nb\tO\r\n\r\nc\tO\r\n\r\n\r\n\r\n",
        "# newdoc\na B-x\nb O\n\n# text = a\tremark\nc O\n",
        "-DOCSTART- O\n\na  B-x\nb O\n\nc O",
    ],
)
def test_conll_with_other_line_ends_remarks_and_spaces(tmp_path: Path, content: str) -> None:
    path = tmp_path / "train.conll"
    path.write_bytes(content.encode())
    assert read_file(path).columns == {"text": [["a", "b"], ["c"]], "label": [["B-x", "O"], ["O"]]}


def test_in_conll_a_no_break_space_parts_no_word(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text("1\u00a0000 B-x\nb O\n")
    assert read_file(path).columns["text"] == [["1\u00a0000", "b"]]


@pytest.mark.parametrize(
    ("content", "told"),
    [("-DOCSTART- O\n\n-DOCSTART- O\n", "has no sentences"), ("# newdoc\n", "has one column")],
)
def test_conll_without_sentences_is_refused(tmp_path: Path, content: str, told: str) -> None:
    assert told in _refusal(tmp_path / "train.conll", content)


def test_a_ragged_conll_row_is_named_by_its_line(tmp_path: Path) -> None:
    message = _refusal(tmp_path / "train.conll", "a\tO\nb\tO\nc\n\nd\tO\n")
    assert "line 3: has 1 columns where others have 2" in message


def test_conll_of_one_column_is_refused(tmp_path: Path) -> None:
    assert "has one column" in _refusal(tmp_path / "train.conll", "a\nb\n\nc\n")


def test_the_sentences_of_wnut_are_as_many_as_its_authors_say(shared_data: Path) -> None:
    """Derczynski et al. 2017, table 2: 3394 sentences of training, 1009 of development, 1287 of test."""
    counts = []
    for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        path = shared_data / "wnut17" / name
        counts.append(len(_READERS[".conll"](path).numbers))
    assert counts == [3394, 1009, 1287]
