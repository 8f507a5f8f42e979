"""Vectors of sentences beside those that transformers alone gives, and what is said of many of them."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from distiller import assets
from distiller.metafeatures import encoder
from distiller.metafeatures.embedding import embedding_features, projection
from distiller.metafeatures.encoder import sentence_vectors

TEXTS = [("Who wrote it ?", "An author."), ("", "🙂"), ("A man is eating food in the old town. " * 20, "No")]


def test_they_are_means_of_last_states_of_length_one() -> None:
    folder = assets.fetch("minilm-l6", "model")
    model, tokenizer = AutoModel.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
    found = sentence_vectors(TEXTS)
    assert found is not None
    assert found.shape == (3, 2, 384)
    for vectors, sides in zip(found, TEXTS, strict=True):
        for vector, side in zip(vectors, sides, strict=True):
            with torch.no_grad():
                inputs = tokenizer(side, truncation=True, max_length=64, return_tensors="pt")
                mean = model(**inputs).last_hidden_state[0].mean(dim=0).numpy()
            assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
            assert vector @ mean / np.linalg.norm(mean) > 0.999


def test_as_many_examples_are_read_as_there_are_tokens_for(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [("one two three", "four")] * 4  # 5 + 3 tokens each
    for most, read in ((31, 3), (32, 4)):
        monkeypatch.setattr(encoder, "MOST_TOKENS", most)
        vectors = sentence_vectors(texts)
        assert vectors is not None
        assert len(vectors) == read
    monkeypatch.setattr(encoder, "MOST_EXAMPLES", 2)
    vectors = sentence_vectors(texts)
    assert vectors is not None
    assert len(vectors) == 2


def test_half_precision_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for precision in (torch.bfloat16, torch.float32):
        monkeypatch.setattr(encoder, "precision", lambda precision=precision: precision)
        found.append(embedding_features(sentence_vectors(TEXTS)))
    assert found[0] != found[1]
    assert found[0]["embedding"] == pytest.approx(found[1]["embedding"], abs=0.01)
    assert found[0]["embedding_spread"] == pytest.approx(found[1]["embedding_spread"], abs=0.01)


def test_no_global_random_state_is_touched() -> None:
    before = torch.random.get_rng_state()
    sentence_vectors(TEXTS)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_mean_and_spread_are_those_by_hand() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(5, 2, 48)) + 0.5
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    mean = vectors.mean(axis=(0, 1))
    found = embedding_features(vectors.astype(np.float32))
    assert found["embedding_spread"] == pytest.approx(1 - mean @ mean, abs=1e-4)  # of vectors of length 1
    assert found["embedding"] == pytest.approx(_orthonormal(48).T @ mean * np.sqrt(48 / 32), abs=1e-4)
    assert all(round(number, 4) == number for number in found["embedding"])


def test_the_same_text_again_and_again_has_no_spread() -> None:
    vectors = np.zeros((4, 1, 384), dtype=np.float32)
    vectors[..., 7] = 1
    assert embedding_features(vectors)["embedding_spread"] == 0


def test_distances_are_kept_in_expectation() -> None:
    points = np.random.default_rng(0).normal(size=(2000, 384))
    lengths = ((points @ projection(384)) ** 2).sum(axis=1) / (points**2).sum(axis=1)
    assert lengths.mean() == pytest.approx(1, abs=0.02)


def _orthonormal(width: int) -> np.ndarray:
    """Gram and Schmidt's, of what numpy draws of old."""
    basis: list[np.ndarray] = []
    for column in np.random.RandomState(0).normal(size=(width, 32)).T:
        rest = column - sum(((column @ other) * other for other in basis), start=np.zeros(width))
        basis.append(rest / np.linalg.norm(rest))
    return np.stack(basis, axis=1)
