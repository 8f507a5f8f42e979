import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from distiller import SearchConfig, UserError, search
from distiller.recommend import Recommender, Subject
from distiller.runs import load
from distiller.search.point import pipeline_at
from distiller.search.warm import Foretelling
from distiller.training import finetune
from recommend_tables import runs
from tiny_runs import pipeline_of

SPACE = {
    "objective.intermediate.type": [None, "mi", "mse", "cos", "pkd"],
    "mapping.type": {"values": ["skip", "last"], "when": {"objective.intermediate.type": {"not": None}}},
    "augmentation.mixup": [None, {"beta": 0.4}],
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
}


@pytest.fixture
def known(tmp_path: Path) -> Path:
    runs(noise=0.002).to_csv(tmp_path / "known.csv", index=False)
    return tmp_path / "known.csv"


def test_points_that_known_runs_speak_for_come_first_and_differ(
    search_file: Callable[..., Path], known: Path, own_cache: Path
) -> None:
    config = SearchConfig.from_yaml(search_file(space=SPACE))
    points = Foretelling.learn(config.pipeline(), config.read_space(), known, 0).warm(4)
    assert len(points) == 4
    assert points[0]["objective.intermediate.type"] == "mi"
    assert points[0]["augmentation.mixup"] == {"beta": 0.4}
    assert len({str(point) for point in points}) == 4
    assert points == Foretelling.learn(config.pipeline(), config.read_space(), known, 0).warm(4)


def test_they_are_expected_to_be_better_than_points_drawn_by_lot(
    search_file: Callable[..., Path], known: Path, own_cache: Path
) -> None:
    config = SearchConfig.from_yaml(search_file(space=SPACE))
    base, space = config.pipeline(), config.read_space()
    foretelling = Foretelling.learn(base, space, known, 0)
    subject, recommender = Subject.read(base), Recommender(0).fit(load(known))
    expected = recommender.predict(subject.describe(foretelling.pipelines))
    warm = [pipeline_at(base, point) for point in foretelling.warm(3)]
    assert recommender.predict(subject.describe(warm)).min() > expected.quantile(0.8)


def test_a_search_begins_with_them_and_goes_on_with_the_same_though_more_is_known(
    search_file: Callable[..., Path], known: Path, own_cache: Path, tmp_path: Path
) -> None:
    file = search_file(space=SPACE, knowledge=str(known), warm=2, trials=2, confirm=None, pruner="none")
    search(file, tmp_path / "found")
    began = yaml.safe_load((tmp_path / "found" / "search.yaml").read_text())["first"]
    assert len(began) == 2
    frame = load(tmp_path / "found" / "runs")
    assert set(frame["pipeline.objective.intermediate.type"]) == {
        point["objective.intermediate.type"] for point in began
    }
    runs(seed=5).to_csv(known, index=False)
    again = search_file(space=SPACE, knowledge=str(known), warm=2, trials=3, confirm=None, pruner="none")
    search(again, tmp_path / "found")
    assert yaml.safe_load((tmp_path / "found" / "search.yaml").read_text())["first"] == began
    assert len(load(tmp_path / "found" / "runs")) == 3


def test_a_teacher_that_is_fine_tuned_is_asked_how_sure_it_is_before_the_search_begins(
    search_file: Callable[..., Path], known: Path, tiny_bert: Path, own_cache: Path, tmp_path: Path
) -> None:
    finetune(pipeline_of(tiny_bert), tmp_path / "ready")
    given = {"space": SPACE, "knowledge": str(known), "warm": 2, "confirm": None}
    of_base = {"teacher": {"model": str(tmp_path / "ready" / "teacher"), "finetune": None}}
    search(search_file(of_base, **given, trials=2), tmp_path / "found")
    (said,) = (own_cache / "scores").glob("*.signal.json")
    asked = said.stat().st_mtime_ns
    search(search_file(of_base, **given, trials=3), tmp_path / "found")
    frame = load(tmp_path / "found" / "runs")
    assert len(frame) == 3
    confidence = json.loads(said.read_text())["confidence"]
    assert frame["teacher.confidence"].tolist() == pytest.approx([confidence] * 3, rel=1e-4)
    assert said.stat().st_mtime_ns == asked


def test_knowledge_that_is_none_is_refused_before_anything_is_written(
    search_file: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="knowledge add"):
        search(search_file(space=SPACE, knowledge=str(tmp_path / "nowhere")), tmp_path / "found")
    assert not (tmp_path / "found").exists()
