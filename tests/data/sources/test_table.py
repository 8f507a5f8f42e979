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


@pytest.mark.parametrize("name", ["rows.xml", "rows.CSV.zip", "rows"])
def test_a_file_of_another_kind_whose_name_could_be_a_hub_id_is_not_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for path in (tmp_path / name, tmp_path / "data" / name):
        path.write_text("[]")
    for written in (name, f"data/{name}"):
        with pytest.raises(UserError, match=rf"{written}: is a .* file; files end in \.csv, .*; mend data\.source"):
            open_source(written, "data.source")


def test_a_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "FILMS.CSV", index=False)
    source = open_source(str(tmp_path / "FILMS.CSV"), "data.source")
    assert source.read("train").columns["text"] == FRAME["text"].tolist()
    with pytest.raises(UserError, match=r"there is no such file; did you mean 'FILMS\.CSV'"):
        open_source(str(tmp_path / "FILM.CSV"), "data.source")


@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_refused_in_place_of_reading_the_current_folder(name: str) -> None:
    with pytest.raises(UserError, match=r"data\.source: is empty; name a file, a folder, asset:NAME or a hub id"):
        open_source(name, "data.source")


@pytest.mark.parametrize("name", ["~nosuchuser/x.csv", f"{'x' * 300}.csv", f"{'x' * 300}", f"./{'x' * 300}/y"])
def test_a_name_that_can_be_no_path_is_refused_in_one_short_line(name: str) -> None:
    with pytest.raises(UserError) as refusal:
        open_source(name, "data.unlabelled")
    message = str(refusal.value)
    assert message.startswith("data.unlabelled: '")
    assert message.endswith("); give another path")
    assert len(message) < 200


def test_the_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "films.csv").write_text("text,label\ngood,1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_source("~/films.csv", "data.source").read("train").columns["text"] == ["good"]
