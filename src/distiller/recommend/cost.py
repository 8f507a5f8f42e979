"""What training is expected to take, by what known runs took."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distiller.analysis.table import numbers_of

Array = NDArray[np.float64]
SECONDS, TRAINED, COPIES = "cost.train_seconds", "data.n_train", "data.n_augmented"
EPOCHS, LAYERS, WIDTH = "pipeline.training.epochs", "student.layers", "student.width"
WORDS = "data.features.words_mean"


def expected_seconds(known: pd.DataFrame, asked: pd.DataFrame) -> Array:
    """Seconds of training, shape [asked]: the middle of what known runs took for as much work; NaN if none says.

    Work is texts times epochs times layers times the square of the width, and words of a text where both say so.
    """
    if SECONDS not in known:
        return np.full(len(asked), np.nan)
    with_words = not any(np.isnan(numbers_of(frame, WORDS)).all() for frame in (known, asked))
    rate = numbers_of(known, SECONDS) / _work(known, with_words=with_words)
    rate = rate[np.isfinite(rate) & (rate > 0)]
    if not len(rate):
        return np.full(len(asked), np.nan)
    return np.asarray(np.median(rate) * _work(asked, with_words=with_words))


def _work(frame: pd.DataFrame, *, with_words: bool) -> Array:
    texts = numbers_of(frame, TRAINED) + np.nan_to_num(numbers_of(frame, COPIES))
    work = texts * numbers_of(frame, EPOCHS) * numbers_of(frame, LAYERS) * numbers_of(frame, WIDTH) ** 2
    return np.asarray(work * numbers_of(frame, WORDS) if with_words else work)
