"""The features of a dataset: found out once for each, and kept in the cache for all runs."""

import hashlib
import json
from pathlib import Path
from typing import Any

from distiller.assets import cache_folder
from distiller.data import Dataset
from distiller.files import write_json
from distiller.metafeatures import encoder
from distiller.metafeatures.drawing import drawn
from distiller.metafeatures.embedding import embedding_features
from distiller.metafeatures.labels import label_features
from distiller.metafeatures.probe import probe_features
from distiller.metafeatures.words import word_features

VERSION = 1
"""Of the features: another one whenever a name, what it means or how it is computed changes."""
DIGITS = 6


def of_dataset(dataset: Dataset) -> dict[str, Any]:
    """By name, the features of a dataset, as `docs/features.md` says what each is; None for one that does not apply.

    They depend on the labelled training examples alone: on no seed, on no order, and on no other split. Where there is
    no encoder of sentences, which a line on stderr says, those that need it are None.
    """
    path = cache_folder() / "metafeatures" / f"{_key(dataset)}.json"
    kept = _kept(path)
    if kept is not None:
        return kept
    examples, kind = drawn(dataset.train), dataset.columns.kind
    vectors = encoder.sentence_vectors(examples.texts)
    numbers = {
        **label_features(dataset.train.labels or [], kind, dataset.classes),
        **word_features(examples.texts),
        **probe_features(vectors, examples, kind, dataset.classes),
    }
    features = {
        "version": VERSION,
        "n_train": len(dataset.train),
        "n_columns": len(dataset.columns.text),
        **{name: number if number is None else round(number, DIGITS) for name, number in numbers.items()},
        **embedding_features(vectors),
    }
    if vectors is not None:
        write_json(path, features)
    return features


def _kept(path: Path) -> dict[str, Any] | None:
    """What is in the cache, if it is whole."""
    try:
        features = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return features if isinstance(features, dict) and features.get("version") == VERSION else None


def _key(dataset: Dataset) -> str:
    content = {
        "version": VERSION,
        "data": dataset.labelled_fingerprint,
        "labels": dataset.columns.kind,
        "encoder": encoder.NAME,
        "precision": str(encoder.precision()),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
