import json
from pathlib import Path

import pytest

from conformance.data_sources import SourceConformance
from distiller.data import DataConfig, Splits, load
from distiller.data.sources import open_source
from distiller.data.sources.folder import Folder
from distiller.errors import UserError


@pytest.fixture
def name(tmp_path: Path) -> str:
    rows = [(f"text {row}", f"class {row % 2}") for row in range(20)]
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    lines = [json.dumps({"text": f"held out {row}", "label": f"class {row % 2}"}) for row in range(4)]
    (tmp_path / "validation.jsonl").write_text("\n".join(lines))
    (tmp_path / "final.tsv").write_text("text\tlabel\nlast\tclass 1\n")
    (tmp_path / "notes.txt").write_text("not data")
    return str(tmp_path)


class TestFolder(SourceConformance):
    kind = Folder
    own = False
    sizes = {"final": 1, "train": 20, "validation": 4}

    @pytest.fixture
    def name(self, name: str) -> str:
        return name

    def config(self, name: str) -> DataConfig:
        return DataConfig(source=name, splits=Splits(test="final"))


def test_splits_are_the_files_that_the_user_names(name: str) -> None:
    dataset = load(DataConfig(source=name, splits=Splits(test="final")), "classes", seed=0)
    assert dataset.test.texts == [("last",)]
    assert dataset.validation.texts == [(f"held out {row}",) for row in range(4)]


def test_a_split_that_is_named_and_not_there_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"unknown split 'finale'; did you mean 'final'\? .*; name one in data\.splits"):
        load(DataConfig(source=name, splits=Splits(test="finale")), "classes", seed=0)


def test_two_files_for_one_split_are_refused(name: str) -> None:
    (Path(name) / "train.jsonl").write_text("{}")
    with pytest.raises(UserError, match=r"holds both train\.csv and train\.jsonl for one split; move one away"):
        open_source(name, "data.source")


def test_a_folder_without_data_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no data files; they end in \.csv, \.tsv, \.jsonl, \.parquet"):
        open_source(str(tmp_path), "data.source")


def test_suffixes_may_be_in_capitals(name: str) -> None:
    (Path(name) / "train.csv").rename(Path(name) / "train.CSV")
    assert len(open_source(name, "data.source").read("train").numbers) == 20
