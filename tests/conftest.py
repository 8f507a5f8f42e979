"""What all tests share: where the repository and its neighbour data are, and one thread a process."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # test processes, and those that they start, run side by side, one a core
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import torch
import yaml
from hypothesis import HealthCheck, settings

# Conformance suites are inherited, which hypothesis takes for an accident; examples are the same in every run.
settings.register_profile(
    "distiller",
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.differing_executors],
)
settings.load_profile("distiller")

REPOSITORY = Path(__file__).resolve().parent.parent
Written = Callable[..., Path]
SPACE = {
    "objective.intermediate.type": [None, "mse", "mi"],
    "objective.intermediate.alpha": {"values": [0.1, 0.9], "when": {"objective.intermediate.type": "mi"}},
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
}
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


LONGEST = ("training", "search", "goal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest first: what comes last one of two workers does alone."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)
    gc.freeze()  # what was imported stays: it is not looked through for garbage again and again


def pytest_unconfigure() -> None:
    """Nor at the end."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """As OMP_NUM_THREADS says, also where torch was there first."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _few_sentences_are_timed() -> Iterator[None]:
    """How long a sentence takes is for benchmarks: of tiny runs it would be a fourth of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distiller.training.evaluation.TIMED_SENTENCES", 10)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real datasets beside the repository, where they are given."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the datasets in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def features_of_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what is found out of datasets is kept, so that runs on the same one pay for it once."""
    return tmp_path_factory.mktemp("metafeatures")


@pytest.fixture
def own_cache(tmp_path: Path, features_of_datasets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, but for assets and features of datasets, which all tests share."""
    from distiller import assets

    downloads = assets.cache_folder() / "assets"
    downloads.mkdir(parents=True, exist_ok=True)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "assets").symlink_to(downloads, target_is_directory=True)
    (cache / "metafeatures").symlink_to(features_of_datasets, target_is_directory=True)
    monkeypatch.setenv("DISTILLER_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of four layers, 32 wide, with random weights and the real tokenizer of MiniLM."""
    from transformers import BertConfig, BertModel

    from distiller import models

    folder = tmp_path_factory.mktemp("tiny-bert")
    config = BertConfig(hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    models.load_tokenizer("asset:minilm-l6", "test").save_pretrained(folder)
    return folder


@pytest.fixture
def search_file(tiny_bert: Path, tmp_path: Path) -> Written:
    """Write a search of a tiny encoder's pipelines, and its base; gives the path of the search."""
    from tiny_runs import pipeline_of

    def written(of_base: dict[str, Any] | None = None, **changes: Any) -> Path:
        pipeline_of(tiny_bert, **{"training": {"epochs": 2}, **(of_base or {})}).to_yaml(tmp_path / "base.yaml")
        content = {"base": "base.yaml", "space": SPACE, "trials": 4, "pruner": "none", "confirm": None, **changes}
        (tmp_path / "search.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "search.yaml"

    return written
