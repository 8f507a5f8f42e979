"""The hub is not reachable from tests: a dataset is read that the library has in its cache, as when one is offline."""

import os
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, DatasetInfo, Features, List, SplitDict, SplitInfo, Value
from datasets.arrow_writer import ArrowWriter

from conformance.data_sources import SourceConformance
from distiller.data import DataConfig, Splits, load
from distiller.data.sources import open_source
from distiller.data.sources.hub import Hub
from distiller.errors import UserError
from distiller.labels import LabelKind

NAMES = ["negative", "positive"]
FEATURES = Features({"sentence": Value("string"), "label": ClassLabel(names=NAMES), "stars": Value("float64")})
LISTS = Features({**FEATURES, "label": List(ClassLabel(names=NAMES))})
SIZES = {"train": 40, "validation": 6, "test": 4}


def _one_class(split: str, row: int) -> int:
    return -1 if split == "test" else row % 2


def _cached(
    cache: Path, config: str, features: Features = FEATURES, label_of: Callable[[str, int], Any] = _one_class
) -> None:
    """Write what the library leaves in its cache after it has loaded `house/reviews` from the hub."""
    folder = cache / "house___reviews" / config / "0.0.0" / ("0" * 40)
    folder.mkdir(parents=True)
    for split, size in SIZES.items():
        with ArrowWriter(path=str(folder / f"reviews-{split}.arrow"), features=features) as writer:
            for row in range(size):
                label = label_of(split, row)
                writer.write({"sentence": f"{config} {split} {row}", "label": label, "stars": row / 2})
            writer.finalize()
    splits = SplitDict({name: SplitInfo(name, 0, size, dataset_name="reviews") for name, size in SIZES.items()})
    DatasetInfo(
        features=features,
        splits=splits,
        builder_name="parquet",
        dataset_name="reviews",
        config_name=config,
        version="0.0.0",
    ).write_to_directory(str(folder))


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    _cached(tmp_path, "long")
    _cached(tmp_path, "short")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    return "house/reviews:short"


class TestHub(SourceConformance):
    kind = Hub
    own = False
    labels = "numbers"
    sizes = SIZES

    @pytest.fixture
    def name(self, name: str) -> str:
        return name

    def config(self, name: str) -> DataConfig:
        return DataConfig(source=name, text=["sentence"], label="stars", splits=Splits(test="test"))


def test_class_numbers_become_names_and_the_configuration_is_the_one_asked_for(name: str) -> None:
    dataset = load(DataConfig(source=name, text=["sentence"]), "classes", seed=0)
    assert dataset.classes == NAMES
    labelled = dict(zip(dataset.validation.texts, dataset.validation.labels or [], strict=True))
    assert labelled[("short validation 3",)] == "positive"
    assert labelled[("short validation 4",)] == "negative"


def test_withheld_labels_are_no_labels(name: str) -> None:
    config = DataConfig(source=name, text=["sentence"], splits=Splits(test="test"))
    with pytest.raises(UserError, match=r"house/reviews:short test: column 'label' has no label \(rows 1, 2, 3, 4\)"):
        load(config, "classes", seed=0)


def test_a_test_split_without_labels_that_nobody_named_is_cut_from_train(name: str) -> None:
    dataset = load(DataConfig(source=name, text=["sentence"]), "classes", seed=0)
    assert len(dataset.train) + len(dataset.test) == SIZES["train"]
    assert all(text.startswith("short train") for (text,) in dataset.test.texts)
    assert len(dataset.validation) == SIZES["validation"]


@pytest.mark.parametrize("withheld", [[-1, -1], [0, -1], [None], None])
@pytest.mark.parametrize(
    ("kind", "refusal"), [("sets", r"has no label \(rows 1, 2, 3, 4\)"), ("tags", r"holds no tags \(row 1\)")]
)
def test_a_list_of_classes_of_which_any_is_withheld_is_no_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: LabelKind, refusal: str, withheld: list[int | None] | None
) -> None:
    def label_of(split: str, row: int) -> list[int | None] | None:
        return withheld if split == "test" else [row % 2, 1, 0]

    _cached(tmp_path, "lists", LISTS, label_of)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    config = DataConfig(source="house/reviews:lists", text=["sentence"])
    dataset = load(config, kind, seed=0)
    assert dataset.classes == NAMES
    assert len(dataset.train) + len(dataset.test) == SIZES["train"]
    with pytest.raises(UserError, match=rf"^house/reviews:lists test: column 'label' {refusal}"):
        load(config.replace(splits=Splits(test="test")), kind, seed=0)


@pytest.mark.parametrize("word", ["csv", "json", "text", "parquet", "csv:default", "imagefolder"])
def test_the_libraries_own_readers_of_files_are_no_datasets(word: str) -> None:
    with pytest.raises(UserError, match=rf"{word}: there is no such file.*; mend data\.source"):
        open_source(word, "data.source")


@pytest.mark.parametrize("absent", ["house/reviews:tiny", "house/nothing", "nothing"])
def test_what_is_not_to_be_had_is_refused_in_one_line_with_what_to_check(name: str, absent: str) -> None:
    with pytest.raises(UserError) as refusal:
        load(DataConfig(source=absent), "classes", seed=0)
    message = str(refusal.value)
    assert message.startswith(f"{absent}: no such file or folder, and not to be had from the hub (")
    assert "check the spelling and the connection" in message
    assert "\n" not in message


@pytest.mark.parametrize("wrong", ["a/b/c", "name with blanks", "house/reviews:"])
def test_what_cannot_be_a_hub_id_is_refused_before_anything_is_asked(wrong: str) -> None:
    with pytest.raises(UserError, match=r"there is no .*; mend data\.source"):
        open_source(wrong, "data.source")


class TalkativeHub(BaseHTTPRequestHandler):
    """A hub that has nothing, and whose every answer asks its client to warn the user."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("X-HF-Warning", "topic; a remark of the hub")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


def test_the_hubs_client_says_nothing_besides() -> None:
    hub = HTTPServer(("127.0.0.1", 0), TalkativeHub)
    Thread(target=hub.serve_forever, daemon=True).start()
    address = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}

    def said(script: str) -> str:
        command, environment = [sys.executable, "-c", script], {**os.environ, **address}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False).stderr

    assert "a remark of the hub" in said("import datasets; datasets.load_dataset('house/nothing')")
    ours = said("from distiller.data.sources import open_source; open_source('house/nothing', 'x').read('train')")
    assert "distiller.errors.UserError: house/nothing: no such file or folder" in ours
    assert "a remark of the hub" not in ours
    hub.shutdown()
