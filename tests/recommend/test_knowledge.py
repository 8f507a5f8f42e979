import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distiller import UserError
from distiller.recommend import knowledge
from distiller.recommend.known import known_runs
from recommend_tables import runs


def table(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def test_studies_add_up_and_none_counts_twice(tmp_path: Path) -> None:
    first, second = table(runs(seed=0), tmp_path / "a.csv"), table(runs(seed=1), tmp_path / "b.csv")
    folder = tmp_path / "known"
    assert knowledge.add([first], folder) == 480
    assert knowledge.add([first, second], folder) == 480
    assert knowledge.add([second], folder) == 0
    assert len(knowledge.read(folder)) == 960


def test_what_is_read_is_what_was_added(tmp_path: Path) -> None:
    frame = runs()
    knowledge.add([table(frame, tmp_path / "a.csv")], tmp_path / "known")
    read = knowledge.read(tmp_path / "known").set_index("id").loc[frame["id"]]
    np.testing.assert_array_equal(read["retention"], frame["retention"])
    assert (
        read["pipeline.objective.intermediate.type"].tolist() == frame["pipeline.objective.intermediate.type"].tolist()
    )


def test_runs_that_did_not_finish_are_not_kept(tmp_path: Path) -> None:
    frame = runs()
    frame.loc[:9, "status"] = "pruned"
    frame.loc[10:14, "retention"] = np.nan
    assert knowledge.add([table(frame, tmp_path / "a.csv")], tmp_path / "known") == len(frame) - 15


def test_runs_without_an_id_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    path = table(runs().drop(columns="id"), tmp_path / "a.csv")
    assert knowledge.add([path], tmp_path / "known") == 480
    assert knowledge.add([path], tmp_path / "known") == 0


def test_how_losses_went_on_the_way_is_not_kept(tmp_path: Path) -> None:
    frame = runs().assign(**{"metrics.history": [[{"loss": 1.0}] for _ in range(480)]})
    rows = frame.to_dict("records")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    knowledge.add([tmp_path / "a.jsonl"], tmp_path / "known")
    read = knowledge.read(tmp_path / "known")
    assert len(read) == 480
    assert {*frame} - {*read} == {"metrics.history"}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    monkeypatch.setenv("DISTILLER_KNOWLEDGE", str(tmp_path / "own"))
    return tmp_path / "own"


def test_without_a_folder_there_is_what_comes_with_the_program(own: Path) -> None:
    read = knowledge.read(None)
    assert len(read) == 96
    assert knowledge.listing(read).set_index("dataset")["pipelines"].to_dict() == {
        f"asset:{name}": 24 for name in ("sms-spam", "trec", "trec-fine", "tweets-sentiment")
    }
    scores = [read[f"metrics.{side}.test.accuracy"] for side in ("student", "teacher")]
    accuracy = read["metrics.primary"] == "accuracy"
    np.testing.assert_allclose(read["retention"][accuracy], (scores[0] / scores[1])[accuracy])


def test_runs_of_ones_own_stand_beside_it_and_none_counts_twice(own: Path, tmp_path: Path) -> None:
    knowledge.add([table(runs(), tmp_path / "a.csv")], own)
    knowledge.add([knowledge.BUILT_IN], own)
    assert len(knowledge.read(None)) == 96 + 480


@pytest.mark.parametrize("ids", ["alike", "none"])
def test_ones_own_may_be_any_table_and_all_its_runs_count(
    ids: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = runs().assign(id="a") if ids == "alike" else runs().drop(columns="id")
    monkeypatch.setenv("DISTILLER_KNOWLEDGE", str(table(frame, tmp_path / "own.csv")))
    assert len(knowledge.read(None)) == 96 + 480


def test_of_many_datasets_some_are_named(own: Path) -> None:
    known = known_runs(runs(datasets=8))
    assert knowledge.said(known, own) == f"Learned from {len(known)} runs, on {', '.join(known.names[:5])} and 3 more."
    assert "program" in knowledge.said(known, None)


def test_a_knowledge_folder_to_which_nothing_was_added_is_empty(own: Path, tmp_path: Path) -> None:
    own.mkdir()
    (own / "knowledge.json").write_text(json.dumps({"version": 1}))
    assert len(knowledge.read(None)) == 96
    with pytest.raises(UserError, match="knowledge add"):
        knowledge.read(own)
    with pytest.raises(UserError, match="without runs"):
        knowledge.add([own], tmp_path / "other")


def test_another_version_of_ones_own_is_refused(own: Path) -> None:
    own.mkdir()
    (own / "knowledge.json").write_text(json.dumps({"version": 2}))
    with pytest.raises(UserError, match="version"):
        knowledge.read(None)


def test_a_listing_counts_what_is_there_of_each_dataset(tmp_path: Path) -> None:
    frame = runs(datasets=2, each=30)
    listed = knowledge.listing(frame).set_index("dataset")
    for name, rows in frame.groupby("data.source"):
        assert listed.loc[name, "runs"] == 30
        assert listed.loc[name, "best"] == rows["retention"].max()
        assert listed.loc[name, "median"] == pytest.approx(rows["retention"].median())


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (runs()[["id", "retention", "data.source"]], "runs import"),
        (runs().assign(retention=np.nan), "no finished run"),
        (runs().drop(columns="data.source"), "on which data"),
        (runs().drop(columns="retention"), "retention"),
    ],
)
def test_foreign_tables_are_refused_and_nothing_is_written(frame: pd.DataFrame, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        knowledge.add([table(frame, tmp_path / "a.csv")], tmp_path / "known")
    assert not (tmp_path / "known").exists()


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="knowledge add"):
            knowledge.read(folder)


@pytest.mark.parametrize("content", [json.dumps({"version": 2}), "{", json.dumps([])])
def test_another_version_is_refused_by_all(content: str, tmp_path: Path) -> None:
    path, folder = table(runs(), tmp_path / "a.csv"), tmp_path / "known"
    knowledge.add([path], folder)
    (folder / "knowledge.json").write_text(content)
    with pytest.raises(UserError, match="version"):
        knowledge.read(folder)
    with pytest.raises(UserError, match="version"):
        knowledge.add([path], folder)
