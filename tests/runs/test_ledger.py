import json
from multiprocessing import get_context
from pathlib import Path

import pytest

from distiller import runs
from distiller.errors import UserError


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
