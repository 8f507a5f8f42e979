"""`distiller runs import`, as a user types it."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distiller import runs
from distiller.cli.main import main

MAPPING = """\
columns:
  data.source: task
  pipeline.objective.intermediate.alpha: {column: alpha, when: {loss: [mi]}}
  pipeline.augmentation.mixup: {column: mixup, values: {true: {beta: 0.4}, false: null}}
  retention: ratio
ordered:
  pipeline.augmentation.steps: {places: {words: {type: random}, model: {type: contextual}}, fields: {p: share}}
"""
TABLE = "task,loss,alpha,mixup,ratio,words,model,share\nrte,mi,0.9,True,0.97,1,2,0.3\nmrpc,ce,0.9,False,1.01,0,1,0.3\n"
Refused = Callable[..., str]


@pytest.fixture
def _handler_of_sigterm() -> Iterator[None]:
    """As it was: the command sets its own."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], _handler_of_sigterm: None
) -> Refused:
    """Give the command what is wrong: it says one line, which is given back, and writes nothing."""
    monkeypatch.chdir(tmp_path)

    def command(mapping: str = MAPPING, table: str = TABLE, *, names: str = "mapping.yaml table.csv --out out") -> str:
        Path("mapping.yaml").write_text(mapping)
        Path("table.csv").write_text(table)
        Path("table.jsonl").write_text(table)
        monkeypatch.setattr(sys, "argv", ["distiller", "runs", "import", *names.split()])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 2
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert not Path("out").exists()
        return said.err

    return command


def test_a_table_becomes_records(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "table.csv").write_text(TABLE)
    command = [sys.executable, "-m", "distiller", "runs", "import", "mapping.yaml", "table.csv", "--out", "out"]
    for written in (2, 0):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == f"2 run records in out: {written} written, {2 - written} there already\n"
        assert done.stderr == ""
    assert sorted(runs.load(tmp_path / "out")["retention"]) == [0.97, 1.01]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("source: task", "source: Task", "table.csv: unknown column 'Task'; did you mean 'task'?"),
        ("{loss: [mi]}", "{los: [mi]}", "unknown column 'los'; did you mean 'loss'?"),
        ("words: {", "word: {", "unknown column 'word'; did you mean 'words'?"),
        ("p: share", "p: shares", "unknown column 'shares'; did you mean 'share'?"),
        ("retention: ratio", "retentoin: ratio", "unknown key of a run record 'retentoin'; did you mean 'retention'?"),
        ("retention: ratio", "id: ratio", "mapping.yaml: unknown key of a run record 'id'"),
        ("retention: ratio", "retention.test: ratio", "there is nothing in retention; write retention"),
        ("data.source: task", "data: task", "names nothing in data; write data.NAME"),
        ("data.source: task", "data..source: task", "names nothing in data; write data.NAME"),
        ("retention: ratio", "pipeline.augmentation: ratio", "mixup lies in pipeline.augmentation, which is a key"),
        ("retention: ratio", "data.source: ratio", "the key 'data.source' is there twice, again in line 5; remove one"),
        ("ordered:", "constants: {retention: 1}\nordered:", "retention is there twice; remove one"),
        ("ordered:", "constants: {created: 2021-09-01}\nordered:", "constants.created: JSON has no datetime.date"),
        ("ordered:", "order:", "unknown field 'order'; did you mean 'ordered'?"),
        ("column: mixup", "colum: mixup", "unknown field 'colum'; did you mean 'column'?"),
        ("columns:", "columns: {}\nother:", "mapping.yaml: unknown field 'other'"),
        ("columns:\n", "columns: [\n", "mapping.yaml: not valid YAML"),
        (MAPPING, "just words", "mapping.yaml: holds no fields; a mapping needs at least columns"),
        (MAPPING, "columns: {}", "mapping.yaml: columns: give at least 1"),
        (MAPPING, "constants: {seed: 1}", "mapping.yaml: columns: Field required"),
        ("retention: ratio", "retention: task", "table.csv row 1: retention: Input should be a valid number"),
        ("retention: ratio", "seed: ratio", "table.csv row 1: seed: Input should be a valid integer"),
        ("retention: ratio", "status: task", "table.csv row 1: status: unknown value 'rte'"),
        (
            "{true: {beta: 0.4}, false: null}",
            "{true: {beta: 0.4}}",
            "table.csv row 2: column 'mixup': False is none of True; add it to columns.pipeline.augmentation.mixup.",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(refused: Refused, before: str, after: str, says: str) -> None:
    assert before in MAPPING
    assert says in refused(MAPPING.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("1.01", "good", "table.csv row 2: retention: Input should be a valid number"),
        ("1.01", "inf", "table.csv row 2: column 'ratio': JSON has no inf; write a number, text or nothing"),
        ("True", "yes", "table.csv row 1: column 'mixup': 'yes' is none of True, False"),
        ("0.97,1,2", "0.97,1,1", "table.csv row 1: columns 'words' and 'model' are both in place 1; change one"),
        ("0.97,1,2", "0.97,1.5,2", "table.csv row 1: column 'words': 1.5 is no place in a list"),
        ("0.97,1,2", "0.97,first,2", "table.csv row 1: column 'words': 'first' is no place in a list"),
        ("0.97,1,2", "0.97,-1,2", "table.csv row 1: column 'words': -1 is no place in a list"),
        (",0,1,0.3", ",0", "table.csv line 3: has 6 cells where the header has 8; mend that line"),
        ("share\n", "model\n", "table.csv: two columns are called 'model'; rename one"),
        ("rte", '"rte', "table.csv: is no .csv file that can be read"),
        (TABLE[46:], "", "table.csv: has no rows; give a table with a header and rows"),
        (TABLE, "", "table.csv: begins without a header"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(refused: Refused, before: str, after: str, says: str) -> None:
    assert before in TABLE
    assert says in refused(table=TABLE.replace(before, after))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            "maping.yaml table.csv --out out",
            "maping.yaml: cannot be read: No such file or directory; did you mean 'map",
        ),
        ("mapping.yaml tabel.csv --out out", "tabel.csv: cannot be read: No such file or directory; did you mean 'tab"),
        ("mapping.yaml . --out out", "unknown ending ''; known: .csv, .tsv, .jsonl, .parquet"),
        ("mapping.yaml mapping.yaml --out out", "unknown ending '.yaml'"),
        ("mapping.yaml table.jsonl --out out", "table.jsonl line 1: is not JSON"),
        ("mapping.yaml table.csv --out table.csv", "table.csv: is a file; name a folder with --out"),
        ("mapping.yaml table.csv --out table.csv/out", "cannot be written (Not a directory); name another --out"),
        ("mapping.yaml table.csv --out /proc/out", "cannot be written (No such file or directory); name another --out"),
    ],
)
def test_a_wrong_path_is_refused_in_one_line(refused: Refused, names: str, says: str) -> None:
    assert says in refused(names=names)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('{"task": "rte"', "table.jsonl line 1: is not JSON"),
        ('{"task": "rte"}\n["rte"]', "table.jsonl line 2: is no JSON object"),
        ('{"task": "\\ud800"}', "table.jsonl row 1: column 'task': JSON has no"),
        ('{"task": "rte", "ratio": "NaN"}', "table.jsonl row 1: retention: Input should be a finite number"),
    ],
)
def test_wrong_json_lines_are_refused_in_one_line(refused: Refused, table: str, says: str) -> None:
    mapping = "columns: {data.source: task, retention: ratio}" if "ratio" in table else "columns: {data.source: task}"
    assert says in refused(mapping, table, names="mapping.yaml table.jsonl --out out")
