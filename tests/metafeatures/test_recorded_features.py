"""Every run record says what its data, its teacher and its student are like, and the documents say what that means."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from conftest import REPOSITORY
from distiller import Pipeline, assets, data, distill, metafeatures, runs, tasks
from distiller.errors import UserError
from distiller.metafeatures import encoder
from distiller.models import StudentConfig
from distiller.recommend import Subject
from distiller.runs import RunRecord
from distiller.training import finetune, teacher_scores
from distiller.training.evaluation import judged
from tiny_runs import pipeline_of, write_questions, write_things

pytestmark = pytest.mark.usefixtures("own_cache")
DOCUMENT = (REPOSITORY / "docs" / "features.md").read_text()


def _small(model: Path, loss: str = "kl", **changes: Any) -> Pipeline:
    objective = {"prediction": {"type": loss}, "intermediate": None}
    return pipeline_of(model, training={"epochs": 1}, objective=objective, **changes)


def _rows(folder: Path, label: Callable[[int], Any], *columns: str) -> str:
    """A file of texts about one of three things."""
    names = ["cat", "dog", "bird"]
    rows = [{c: f"{c} {n} of the {names[n % 3]}" for c in columns} | {"label": label(n % 3)} for n in range(60)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(folder / "rows.jsonl")


def _classification(folder: Path) -> dict[str, Any]:
    return {}


def _pairs(folder: Path) -> dict[str, Any]:
    return {"data": {"source": _rows(folder, str, "one", "two"), "text": ["one", "two"], "limit": None}}


def _regression(folder: Path) -> dict[str, Any]:
    return {"task": "regression", "loss": "mse", "data": {"source": "asset:hutto-amazon"}}


def _several(folder: Path) -> dict[str, Any]:
    source = _rows(folder, lambda place: ["even", "odd"][: 1 + place % 2], "text")
    return {"task": "multi-label-classification", "loss": "bce", "data": {"source": source, "limit": None}}


def _tags(folder: Path) -> dict[str, Any]:
    write_things(folder / "things.jsonl")
    return {"task": "token-classification", "data": {"source": str(folder / "things.jsonl")}}


def _questions(folder: Path) -> dict[str, Any]:
    write_questions(folder / "squad.json", articles=20)
    source = str(folder / "squad.json")
    return {"task": "question-answering", "data": {"source": source, "limit": None, "stride": 6}}


PRESENT = {
    _classification: {"n_classes", "label_entropy", "largest_class_share", "probe_score", "probe_gain"},
    _pairs: {"n_classes", "label_entropy", "largest_class_share", "probe_score", "probe_gain", "pair_overlap"},
    _regression: {"type_token_ratio", "once_share", "probe_score", "probe_gain"},
    _several: {"n_classes", "label_entropy", "largest_class_share", "probe_score", "probe_gain"},
    _tags: {"n_classes", "label_entropy", "largest_class_share", "entity_share"},
    _questions: {"unanswered_share", "answer_words", "pair_overlap", "type_token_ratio", "once_share"},
}
ALWAYS = {
    "version",
    "n_train",
    "n_columns",
    "words_mean",
    "words_standard_deviation",
    "words_ninetieth_percentile",
    "characters_per_word",
    "embedding",
    "embedding_spread",
}


@pytest.mark.parametrize("kind", PRESENT, ids=lambda kind: kind.__name__.strip("_"))
def test_a_record_has_features_that_a_recommender_finds_too(kind: Any, tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _small(tiny_bert, **kind(tmp_path))
    record = distill(pipeline, tmp_path / "out").record
    found = data.load(pipeline.data, tasks.build(pipeline.task).label_kind, pipeline.seed)
    assert record.data["features"] == metafeatures.of_dataset(found)
    assert record.data["features"]["n_train"] == record.data["n_train"]
    (row,) = runs.load(tmp_path / "out").to_dict("records")
    columns = {name: row[f"data.features.{name}"] for name in record.data["features"]}
    assert {name for name, value in columns.items() if np.all(pd.notna(value))} == ALWAYS | PRESENT[kind]
    _check_models(record)


def _check_models(record: RunRecord) -> None:
    teacher, primary = record.teacher, record.metrics["primary"]
    assert teacher["validation_score"] == record.metrics["teacher"]["validation"][primary]
    if record.pipeline["task"] == "regression":
        assert (teacher["confidence"], teacher["entropy"]) == (None, None)
    else:
        assert 0 < teacher["confidence"] <= 1
        assert 0 < teacher["entropy"] <= 1
    assert record.student["initialisation"] == "pretrained"
    assert record.student["size_ratio"] == record.student["parameters"] / teacher["parameters"] < 1


def _tuned(asked: Pipeline, folder: Path) -> Pipeline:
    return asked.replace(teacher={"model": str(finetune(asked, folder)), "finetune": None})


@pytest.mark.parametrize("kind", [_classification, _regression, _questions], ids=lambda kind: kind.__name__.strip("_"))
def test_of_a_fine_tuned_teacher_as_much_is_known_before_a_run(
    kind: Any, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_scores, "WORDS_ASKED", 1_000_000)
    tuned = _tuned(_small(tiny_bert, **kind(tmp_path)), tmp_path / "tuned")
    before = Subject.read(tuned).context["teacher"]
    recorded = distill(tuned, tmp_path / "out").record.teacher
    for name in ("validation_score", "confidence", "entropy"):
        assert before[name] == pytest.approx(recorded[name], abs=1e-6)


def test_it_is_asked_once_about_some_texts_of_all_classes(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is sorted by class; the mapping is one that needs an objective which recommendations bring."""
    rows = [{"text": f"a {name} {number}", "label": name} for name in ("cat", "dog") for number in range(300)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    learned = _small(tiny_bert, data={"source": str(tmp_path / "rows.jsonl"), "limit": None})
    tuned = _tuned(learned, tmp_path / "tuned").replace(mapping={"type": "last"})
    asked = []
    monkeypatch.setattr(teacher_scores, "WORDS_ASKED", 60)
    monkeypatch.setattr(teacher_scores, "judged", lambda *given: asked.append(given[1]) or judged(*given))
    before = [Subject.read(tuned).context["teacher"] for _ in range(2)]
    assert before[0] == before[1]
    [texts] = asked
    assert len(texts) == 20
    assert {*map(int, texts.targets)} == {0, 1}


def test_of_a_teacher_that_is_still_to_learn_nothing_is_asked(tiny_bert: Path) -> None:
    assert "confidence" not in Subject.read(_small(tiny_bert)).context["teacher"]


@dataclass(frozen=True)
class Ran:
    """A run that several tests look at."""

    pipeline: Pipeline
    record: RunRecord
    cache: Path


@pytest.fixture(scope="module")
def ran(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder, downloads = tmp_path_factory.mktemp("ran"), assets.cache_folder() / "assets"
    (folder / "cache").mkdir()
    (folder / "cache" / "assets").symlink_to(downloads, target_is_directory=True)
    pipeline = _small(tiny_bert)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLER_CACHE", str(folder / "cache"))
        return Ran(pipeline, distill(pipeline, folder / "out").record, folder / "cache")


def test_how_sure_the_teacher_is_is_what_transformers_alone_gives(ran: Ran) -> None:
    (folder,) = [path for path in (ran.cache / "teachers").iterdir() if path.is_dir()]
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    texts = [text for (text,) in data.load(ran.pipeline.data, "classes", ran.pipeline.seed).validation.texts]
    with torch.no_grad():
        inputs = tokenizer(texts, truncation=True, max_length=24, padding=True, return_tensors="pt")
        shares = softmax(model(**inputs).logits.numpy().astype(float), axis=1)
    assert ran.record.teacher["confidence"] == pytest.approx(shares.max(axis=1).mean(), abs=1e-4)
    entropy = -(shares * np.log(shares)).sum(axis=1).mean() / np.log(6)
    assert ran.record.teacher["entropy"] == pytest.approx(entropy, abs=1e-4)


def test_what_an_earlier_version_kept_of_a_teacher_is_found_out_anew(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept,) = (ran.cache / "scores").iterdir()
    whole = kept.read_text()
    kept.write_text(json.dumps({**ran.record.metrics["teacher"], "size_mb": 1.0}))
    monkeypatch.setenv("DISTILLER_CACHE", str(ran.cache))
    again = distill(ran.pipeline, tmp_path / "again").record
    assert {**again.teacher, "outputs": None} == {**ran.record.teacher, "outputs": None}
    assert kept.read_text() == whole


def test_without_the_encoder_a_run_goes_on(
    tiny_bert: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_cache / "assets").unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    encoder._source.cache_clear()
    source = _rows(tmp_path, lambda place: f"class {place}", "text")
    try:
        record = distill(_small(tiny_bert, data={"source": source, "limit": None}), tmp_path / "out").record
    finally:
        encoder._source.cache_clear()
    assert record.status == "finished"
    assert record.data["features"]["embedding"] is None
    assert record.data["features"]["n_classes"] == 3


@pytest.mark.parametrize(
    ("student", "initialisation"),
    [
        ({"layers": [0]}, "pretrained"),
        ({"layers": [0], "init": "teacher"}, "teacher"),
        ({"layers": [0], "init": "random"}, "random"),
        ({"model": "some/model"}, "own checkpoint"),
        ({"model": "some/model", "init": "random"}, "random"),
    ],
)
def test_a_students_weights_are_one_of_four(student: dict[str, Any], initialisation: str) -> None:
    assert StudentConfig(**student).initialisation == initialisation


def _documented(section: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    (part,) = [part for part in DOCUMENT.split("\n## ") if part.startswith(section)]
    cells = re.findall(r"^\| (`[^|]*) \|", part, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_document_names_every_feature_and_no_other(ran: Ran) -> None:
    assert _documented("The dataset") == ran.record.data["features"].keys()
    assert _documented("The teacher") == ran.record.teacher.keys() - {"model", "outputs"}
    assert _documented("The student") == ran.record.student.keys()
    assert f"| {metafeatures.VERSION} | never |" in DOCUMENT


def test_a_further_teacher_that_is_not_there_is_named_by_its_place(tiny_bert: Path, tmp_path: Path) -> None:
    teacher = {"model": str(tiny_bert), "models": [str(tiny_bert), str(tmp_path / "none")]}
    with pytest.raises(UserError, match=r"^teacher\.models\.1: "):
        Subject.read(_small(tiny_bert, **_classification(tmp_path)).replace(teacher=teacher))
