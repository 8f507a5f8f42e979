from pathlib import Path

import pandas
import pytest

from conformance.data_sources import SourceConformance
from distiller.data.sources import open_source
from distiller.data.sources.table import Table
from distiller.errors import UserError

FRAME = pandas.DataFrame(
    {
        "text": [f"{'good' if row % 3 else 'bad'} film {row}" for row in range(30)],
        "label": [row % 3 for row in range(30)],
    }
)


class TableConformance(SourceConformance):
    kind = Table
    own = False
    sizes = {"train": 30}


class TestCsv(TableConformance):
    @pytest.fixture
    def name(self, tmp_path: Path) -> str:
        FRAME.to_csv(tmp_path / "films.csv", index=False)
        return str(tmp_path / "films.csv")


class TestTsv(TableConformance):
    @pytest.fixture
    def name(self, tmp_path: Path) -> str:
        FRAME.to_csv(tmp_path / "films.tsv", index=False, sep="\t")
        return str(tmp_path / "films.tsv")


class TestJsonLines(TableConformance):
    @pytest.fixture
    def name(self, tmp_path: Path) -> str:
        FRAME.to_json(tmp_path / "films.jsonl", orient="records", lines=True)
        return str(tmp_path / "films.jsonl")


class TestParquet(TableConformance):
    @pytest.fixture
    def name(self, tmp_path: Path) -> str:
        FRAME.to_parquet(tmp_path / "films.parquet")
        return str(tmp_path / "films.parquet")


def test_a_file_that_is_not_there_is_refused_with_the_near_one(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\n")
    with pytest.raises(
        UserError, match=r"trian\.csv: there is no such file; did you mean 'train\.csv'\?; mend data\.x"
    ):
        open_source(str(tmp_path / "trian.csv"), "data.x")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"there is no folder {tmp_path}/nowhere; mend data.source"):
        open_source(str(tmp_path / "nowhere" / "train.csv"), "data.source")


def test_a_file_of_another_kind_is_refused_with_the_kinds_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "train.xlsx").write_text("x")
    with pytest.raises(UserError, match=r"is a \.xlsx file; files end in \.csv, \.tsv, \.jsonl, \.parquet"):
        open_source(str(tmp_path / "train.xlsx"), "data.source")


def test_the_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "films.csv").write_text("text,label\ngood,1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_source("~/films.csv", "data.source").read("train").columns["text"] == ["good"]
