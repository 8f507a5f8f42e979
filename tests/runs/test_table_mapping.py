"""Tables that others measured become run records: what the mapping says, no more and no less."""

import csv
import json
import signal
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import REPOSITORY
from distiller import runs
from distiller.errors import UserError
from processes import run_script

PAPER = REPOSITORY / "examples" / "paper-runs.yaml"
MAPPING: dict[str, Any] = {
    "columns": {
        "data.source": "task",
        "pipeline.objective.intermediate.type": "loss",
        "pipeline.objective.intermediate.alpha": {"column": "alpha", "when": {"loss": ["mi"]}},
        "pipeline.augmentation.mixup": {"column": "mixup", "values": {True: {"beta": 0.4}, False: None}},
        "retention": "ratio",
    },
    "ordered": {
        "pipeline.augmentation.steps": {
            "places": {"words": {"type": "random", "action": "swap"}, "model": {"type": "contextual"}},
            "fields": {"p": "share"},
        }
    },
    "constants": {"teacher.model": "BERT_BASE"},
}
TABLE = """\
task,loss,alpha,mixup,ratio,words,model,share
rte,mi,0.9,True,0.97,2,1,0.3
rte,mse,0.9,False,1.01,0,0,0.3
mrpc,,0.5,True,,,1,
"""
# Dies when it asks the disk for the so manieth time: what it has written by then has its name not yet.
KILLED = """
import os, signal, sys
from distiller.runs import import_table
left, whole = int(sys.argv[1]), os.fsync
def fsync(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(descriptor)
os.fsync = fsync
import_table(*sys.argv[2:])
"""
CELLS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)


def _given(folder: Path, mapping: dict[str, Any] | None = None, table: str = TABLE) -> tuple[Path, Path, Path]:
    """The files of an import, and where it is to go."""
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping or MAPPING), encoding="utf-8")
    (folder / "table.csv").write_text(table, encoding="utf-8")
    return folder / "mapping.yaml", folder / "table.csv", folder / "out"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _records(folder: Path) -> list[Any]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/run.json")]


def test_records_say_what_the_rows_say(tmp_path: Path) -> None:
    runs.import_table(*_given(tmp_path))
    first, second, third = sorted(_records(tmp_path / "out"), key=lambda record: record["retention"] or 2)
    assert first["pipeline"] == {
        "objective": {"intermediate": {"type": "mi", "alpha": 0.9}},
        "augmentation": {
            "mixup": {"beta": 0.4},
            "steps": [{"type": "contextual", "p": 0.3}, {"type": "random", "action": "swap", "p": 0.3}],
        },
    }
    assert second["pipeline"] == {
        "objective": {"intermediate": {"type": "mse"}},
        "augmentation": {"mixup": None, "steps": []},
    }
    assert third["pipeline"] == {"augmentation": {"mixup": {"beta": 0.4}, "steps": [{"type": "contextual"}]}}
    assert [record["retention"] for record in (first, second, third)] == [0.97, 1.01, None]
    assert [record["data"] for record in (first, third)] == [{"source": "rte"}, {"source": "mrpc"}]
    assert {(record["teacher"]["model"], record["status"], record["seed"]) for record in (first, second, third)} == {
        ("BERT_BASE", "finished", 0)
    }
    assert runs.RunRecord.read(tmp_path / "out" / first["id"]).model_dump() == first


@given(st.lists(st.tuples(CELLS | TEXTS, CELLS | TEXTS), min_size=1, max_size=8))
def test_any_cells_of_json_are_kept_as_they_are(rows: list[tuple[Any, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mapping = {"columns": {"data.a": "a", "metrics.b.c": "b"}}
        place, _, out = _given(folder, mapping)
        table = folder / "table.jsonl"
        table.write_text("\n".join(json.dumps({"a": a, "b": b}) for a, b in rows), encoding="utf-8")
        assert runs.import_table(place, table, out).written == len(rows)
        found = [(each["data"].get("a"), each["metrics"].get("b", {}).get("c")) for each in _records(out)]
        assert Counter(map(repr, found)) == Counter(map(repr, rows))


@given(st.lists(st.sampled_from(TABLE.splitlines()[1:]), min_size=1, max_size=8), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[str], random: Any) -> None:
    header = TABLE.splitlines()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mapping, table, out = _given(folder, table="\n".join([header, *rows]))
        runs.import_table(mapping, table, out)
        assert len(_records(out)) == len(rows)
        before = _files(out)
        random.shuffle(rows)
        table.write_text("\n".join([header, *rows]))
        assert runs.import_table(mapping, table, out) == runs.Imported(written=0, kept=len(rows))
        assert _files(out) == before
        runs.import_table(mapping, table, folder / "anew")
        assert _files(folder / "anew") == before


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_numbers_are_those_of_the_file(numbers: list[float]) -> None:
    """Digit for digit; whole numbers stay whole where a cell of their column is empty."""
    mapping = {"columns": {"metrics.score": "x", "data.n_train": "n"}}
    with tempfile.TemporaryDirectory() as name:
        rows = [f"{number!r},{'' if row else 7}" for row, number in enumerate(numbers)]
        runs.import_table(*_given(Path(name), mapping, "\n".join(["x,n", *rows])))
        records = _records(Path(name) / "out")
    assert sorted(record["metrics"]["score"] for record in records) == sorted(numbers)
    assert sorted(json.dumps(record["data"]) for record in records) == ['{"n_train": 7}', *["{}"] * (len(numbers) - 1)]


@pytest.mark.parametrize("ending", [".tsv", ".jsonl", ".parquet", ".CSV"])
def test_formats_say_the_same(tmp_path: Path, ending: str) -> None:
    mapping, table, out = _given(tmp_path)
    other = table.with_name(f"other{ending}")
    frame = pd.read_csv(table)
    write = {
        ".tsv": lambda: frame.to_csv(other, sep="\t", index=False),
        ".jsonl": lambda: frame.astype(object).to_json(other, orient="records", lines=True),
        ".parquet": lambda: frame.to_parquet(other),
        ".CSV": lambda: other.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n")),
    }
    write[ending]()
    runs.import_table(mapping, table, out)
    runs.import_table(mapping, other, tmp_path / "other")
    assert _files(tmp_path / "other") == _files(out)


def test_a_row_is_added_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    mapping, table, out = _given(tmp_path)
    runs.import_table(mapping, table, out)
    table.write_text(TABLE + "qnli,mi,0.5,True,0.9,1,2,0.1\n")
    assert runs.import_table(mapping, table, out) == runs.Imported(written=1, kept=3)
    before = _files(out)
    table.write_text(TABLE.replace("0.97", "0.98"))
    with pytest.raises(UserError, match=r"out: 2 records are of no row of .*table\.csv, e\.g\. .*was changed"):
        runs.import_table(mapping, table, out)
    assert _files(out) == before


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_after_a_kill_the_same_command_completes(tmp_path: Path, moment: int) -> None:
    mapping, table, out = _given(tmp_path)
    killed = run_script(KILLED, moment, mapping, table, out)
    assert killed.returncode == -signal.SIGKILL
    assert len([*out.glob("*/run.json")]) == moment - 1
    assert all(runs.RunRecord.read(path.parent) for path in out.glob("*/run.json"))
    assert runs.import_table(mapping, table, out) == runs.Imported(written=4 - moment, kept=moment - 1)
    runs.import_table(mapping, table, tmp_path / "undisturbed")
    assert _files(out) == _files(tmp_path / "undisturbed")


def test_the_table_of_the_paper(shared_data: Path, tmp_path: Path) -> None:
    """All runs of He et al. 2021, and of each choice as many as the table itself counts."""
    path = shared_data / "paper" / "runs.csv"
    runs.import_table(PAPER, path, tmp_path)
    frame, table = runs.load(tmp_path), pd.read_csv(path)
    assert len(frame) == len(table) == 809
    assert frame["id"].nunique() == 809
    columns = {
        "data.source": "task",
        "data.n_train": "#example",
        "teacher.model": "Teacher",
        "student.model": "Model",
        "pipeline.augmentation.copies": "repeated_aug",
        "pipeline.mapping.type": "intermediate_strategy",
        "pipeline.objective.prediction.type": "kd_loss_type",
        "pipeline.objective.intermediate.type": "intermediate_loss_type",
        "metrics.score": "score",
        "retention": "ratio",
    }
    assert Counter(frame[[*columns]].itertuples(index=False, name=None)) == Counter(
        table[[*columns.values()]].itertuples(index=False, name=None)
    )
    of_mi = table[table["intermediate_loss_type"] == "mi"]
    alpha = frame["pipeline.objective.intermediate.alpha"].dropna()
    assert alpha.value_counts().to_dict() == of_mi["alpha"].value_counts().to_dict()
    assert set(frame.loc[alpha.index, "pipeline.objective.intermediate.type"]) == {"mi"}
    assert (frame["pipeline.augmentation.mixup.beta"] == 0.4).sum() == table["mixup"].sum()


def test_the_steps_of_the_paper(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "paper" / "runs.csv"
    runs.import_table(PAPER, path, tmp_path)
    frame = runs.load(tmp_path)
    found = Counter(
        (score, *((step["type"], step["p"]) for step in steps))
        for score, steps in zip(frame["metrics.score"], frame["pipeline.augmentation.steps"], strict=True)
    )
    names = {"contextual": "contextual", "backtranslation": "back_translation", "random": "random"}
    expected: Counter[tuple[Any, ...]] = Counter()
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            order = sorted((row[name], name) for name in names if row[name] != "0")
            expected[(float(row["score"]), *((names[name], float(row["aug_p"])) for _, name in order))] += 1
    assert found == expected
