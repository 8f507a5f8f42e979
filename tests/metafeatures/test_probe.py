"""The probe beside scikit-learn's own cross-validation and normal equations, and what noise does to it."""

import random
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distiller import data, metafeatures
from distiller.data import DataConfig, Examples
from distiller.metafeatures.probe import probe_features
from made_datasets import dataset_of

NOTHING = {"probe_score": None, "probe_gain": None}


def _vectors(count: int, columns: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, columns, 6)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _examples(labels: list[Any], texts: int = 10**6) -> Examples:
    return Examples([(f"text {number % texts}",) for number in range(len(labels))], labels)


def _of_pairs(vectors: np.ndarray) -> np.ndarray:
    u, v = vectors[:, 0].astype(float), vectors[:, -1].astype(float)
    return np.hstack([u, v, abs(u - v), u * v]) if vectors.shape[1] == 2 else u


def _by_ridge(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Out of fold, by the normal equations; targets [examples, outputs]."""
    guesses = np.zeros_like(targets)
    for fold in range(5):
        asked = np.arange(len(inputs)) % 5 == fold
        mean, deviation = inputs[~asked].mean(axis=0), inputs[~asked].std(axis=0)
        known = (inputs[~asked] - mean) / deviation
        middle = targets[~asked].mean(axis=0)
        weights = np.linalg.solve(known.T @ known + 1000 * np.eye(known.shape[1]), known.T @ (targets[~asked] - middle))
        guesses[asked] = (inputs[asked] - mean) / deviation @ weights + middle
    return guesses


@pytest.mark.parametrize("columns", [1, 2])
def test_of_classes_it_is_accuracy_out_of_fold(columns: int) -> None:
    vectors = _vectors(203, columns)
    labels = ["abc"[int(place)] for place in (_of_pairs(vectors)[:, -1] > 0) + (vectors[:, 0, 0] > 0.5).astype(int)]
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    folds = PredefinedSplit(np.arange(203) % 5)
    guesses = cross_val_predict(learner, _of_pairs(vectors), labels, cv=folds)
    score = np.mean(guesses == np.array(labels))
    most = max(map(labels.count, "abc")) / 203
    found = probe_features(vectors, _examples(labels), "classes", ["a", "b", "c"])
    assert found == {"probe_score": pytest.approx(score), "probe_gain": pytest.approx((score - most) / (1 - most))}
    assert 0 < score < 1


@pytest.mark.parametrize("columns", [1, 2])
def test_of_numbers_it_is_r_squared_out_of_fold_whatever_their_size(columns: int) -> None:
    vectors = _vectors(203, columns)
    labels = vectors[:, 0, 0].astype(float) + 0.1 * np.random.default_rng(1).normal(size=203) + 5
    guesses = _by_ridge(_of_pairs(vectors), labels[:, None])[:, 0]
    score = 1 - ((labels - guesses) ** 2).sum() / ((labels - labels.mean()) ** 2).sum()
    for scale in (1, -1e-200, 1e300):
        found = probe_features(vectors, _examples((labels * scale).tolist()), "numbers", None)
        assert found == {"probe_score": pytest.approx(score), "probe_gain": pytest.approx(score)}
    assert 0 < score < 1


def test_of_several_classes_a_text_it_is_the_mean_over_classes() -> None:
    vectors = _vectors(500)
    has = np.stack([vectors[:, 0, 0] > 0.1, vectors[:, 0, 1] > 0.6, np.ones(500, dtype=bool)], axis=1)
    labels = [tuple(name for name, there in zip("abc", row, strict=True) if there) for row in has]
    guesses = _by_ridge(_of_pairs(vectors), has.astype(float)) > 0.5
    scores = (guesses == has).mean(axis=0)
    constant = np.maximum(has.mean(axis=0), 1 - has.mean(axis=0)).mean()
    found = probe_features(vectors, _examples(labels), "sets", ["a", "b", "c"])
    gain = (scores.mean() - constant) / (1 - constant)
    assert found == {"probe_score": pytest.approx(scores.mean()), "probe_gain": pytest.approx(gain)}
    assert gain > 0.1


def test_a_text_that_is_there_twice_is_not_known_from_its_twin() -> None:
    generator = np.random.default_rng(0)
    vectors, labels = _vectors(40).repeat(10, axis=0), generator.choice(["a", "b"], 40).repeat(10).tolist()
    texts = [(f"text {number // 10}",) for number in range(400)]
    found = probe_features(vectors, Examples(texts, labels), "classes", ["a", "b"])
    assert found["probe_score"] is not None
    assert found["probe_score"] < 0.7  # 6 numbers tell 40 texts apart, so that twins would give all away


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("labels", "kind", "texts"),
    [
        (["a"] * 20, "classes", 20),
        ([2.5] * 20, "numbers", 20),
        ([0.0] * 20, "numbers", 20),
        ([("a",)] * 20, "sets", 20),
        (["a", "b"] * 10, "classes", 4),
        (["a", "b", "a", "b"], "classes", 4),
        ([("O", "B-x")] * 10 + [("O", "O")] * 10, "tags", 20),
        ([()] * 20, "answers", 20),
    ],
)
def test_where_nothing_can_be_learned_there_is_no_score(labels: list[Any], kind: Any, texts: int) -> None:
    assert probe_features(_vectors(len(labels)), _examples(labels, texts), kind, ["a", "b"]) == NOTHING


def test_five_texts_are_enough_and_a_class_may_be_in_one_fold_alone() -> None:
    found = probe_features(_vectors(5), _examples(["a", "a", "a", "b", "a"]), "classes", ["a", "b"])
    assert found["probe_score"] == 0.8
    assert found["probe_gain"] == pytest.approx(0)


def test_without_vectors_there_is_no_score() -> None:
    assert probe_features(None, _examples(["a", "b"]), "classes", ["a", "b"]) == NOTHING


def test_noise_in_the_labels_lowers_it(own_cache: Any) -> None:
    clean = data.load(DataConfig(source="asset:trec", limit=600), "classes", seed=0)
    generator = random.Random(0)
    labels = [str(label) for label in clean.train.labels or []]
    noisy = [label if generator.random() > 0.3 else generator.choice(sorted({*labels} - {label})) for label in labels]
    before = metafeatures.of_dataset(dataset_of(clean.train.texts, labels))
    after = metafeatures.of_dataset(dataset_of(clean.train.texts, noisy))
    assert before["probe_score"] > 0.65
    # Were the guesses the same, three in ten of those that were right would be wrong.
    assert after["probe_score"] < 0.8 * before["probe_score"]
    assert after["probe_gain"] < 0.7 * before["probe_gain"]
