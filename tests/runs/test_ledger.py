import json
import shutil
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller import runs
from distiller.errors import UserError

NAMES = st.sampled_from(["id", "created", "cost", "a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
RECORDS = st.dictionaries(NAMES.filter(lambda name: name not in ("id", "created")), VALUES, min_size=1, max_size=4)


def _write(folder: Path, seed: int) -> None:
    record = runs.new_record({"objective": {"prediction": {"type": "kl"}}, "student": {"layers": [0, 2]}}, seed)
    record.status = "finished"
    record.retention = 0.5
    record.write(folder)


def test_nested_keys_are_flattened_with_dots(tmp_path: Path) -> None:
    for seed in range(3):
        _write(tmp_path / "deep" / str(seed), seed)
    frame = runs.load(tmp_path)
    assert sorted(frame["seed"]) == [0, 1, 2]
    assert set(frame["pipeline.objective.prediction.type"]) == {"kl"}
    assert frame["pipeline.student.layers"][0] == [0, 2]
    assert set(frame["retention"]) == {0.5}


@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_frames_are_those_of_pandas(records: list[dict[str, Any]]) -> None:
    """But for the order of columns."""
    with tempfile.TemporaryDirectory() as folder:
        for number, record in enumerate(records):
            place = Path(folder) / str(number)
            place.mkdir()
            (place / "run.json").write_text(json.dumps({"id": str(number), **record}))
        frame = runs.load(folder)
    expected = pd.json_normalize([{"id": str(number), **record} for number, record in enumerate(records)], sep=".")
    pd.testing.assert_frame_equal(frame, expected, check_like=True)


def test_the_oldest_is_first(tmp_path: Path) -> None:
    for name, created in [("a", "2026-03"), ("b", "2026-01"), ("c", "2026-02"), ("d", "2026-01")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"id": name, "created": created}))
    assert [*runs.load(tmp_path)["id"]] == ["b", "d", "c", "a"]


def test_a_record_that_is_there_twice_is_one_row(tmp_path: Path) -> None:
    for seed in range(3):
        _write(tmp_path / "ledger" / str(seed), seed)
    shutil.copytree(tmp_path / "ledger", tmp_path / "copy")
    _write(tmp_path / "other", 3)
    expected = runs.load(tmp_path / "ledger")
    pd.testing.assert_frame_equal(runs.load(tmp_path / "ledger", tmp_path / "copy", tmp_path / "ledger"), expected)
    frame = runs.load(tmp_path / "ledger" / "0", tmp_path)
    assert sorted(frame["seed"]) == [0, 1, 2, 3]


def test_records_that_differ_are_kept_though_they_have_one_id(tmp_path: Path) -> None:
    for folder, seed in [("a", -1), ("b", -2), ("c", 1), ("d", -2)]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.json").write_text(json.dumps({"id": "x", "seed": seed}))
    frame = runs.load(tmp_path)
    assert [*frame["id"]] == ["x"] * 3
    assert [*frame["seed"]] == [-1, -2, 1]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_is_a_ledger(tmp_path: Path, ending: str) -> None:
    for seed in range(3):
        _write(tmp_path / "ledger" / str(seed), seed)
    frame = runs.load(tmp_path / "ledger")
    table = tmp_path / f"table.{ending}"
    if ending in ("csv", "tsv"):
        frame.to_csv(table, sep="," if ending == "csv" else "\t", index=False)
    elif ending == "jsonl":
        frame.to_json(table, orient="records", lines=True)
    else:
        frame.to_parquet(table)
    names = ["id", "created", "seed", "retention", "pipeline.objective.prediction.type"]
    pd.testing.assert_frame_equal(runs.load(table)[names], frame[names])
    assert len(runs.load(table, table)) == 3
    if ending in ("jsonl", "parquet"):
        pd.testing.assert_frame_equal(runs.load(tmp_path / "ledger", table), frame)


def test_a_column_that_is_empty_throughout_is_there(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id,retention\n1,\n2,\n")
    assert runs.load(tmp_path / "table.csv")["retention"].isna().all()


def test_a_folder_without_records_is_named_among_others(tmp_path: Path) -> None:
    _write(tmp_path / "a", 0)
    with pytest.raises(UserError, match=r"nothing: holds no run\.json"):
        runs.load(tmp_path / "a", tmp_path / "nothing")


def test_one_file_is_a_ledger_of_one(tmp_path: Path) -> None:
    _write(tmp_path, 7)
    assert list(runs.load(tmp_path / "run.json")["seed"]) == [7]


def test_many_processes_write_one_ledger(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as pool:
        pool.starmap(_write, [(tmp_path / str(seed), seed) for seed in range(8)])
    frame = runs.load(tmp_path)
    assert sorted(frame["seed"]) == list(range(8))
    assert frame["id"].is_unique


def test_keys_are_those_of_the_design(tmp_path: Path) -> None:
    _write(tmp_path, 0)
    keys = set(json.loads((tmp_path / "run.json").read_text()))
    design = "id created version status seed pipeline data teacher student metrics retention cost latency"
    assert keys == set(design.split())


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no run\.json"):
        runs.load(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json: not a run record"):
        runs.load(tmp_path)
    with pytest.raises(UserError, match=r"run\.json: no run record"):
        runs.RunRecord.read(tmp_path)


def test_a_number_that_json_lacks_is_not_written(tmp_path: Path) -> None:
    record = runs.new_record({}, 0)
    record.metrics = {"score": float("nan")}
    with pytest.raises(ValueError, match="Out of range float"):
        record.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
