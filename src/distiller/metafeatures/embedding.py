"""Where the texts of a dataset lie in the space of a sentence encoder, in few numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 32
DIGITS = 4


def embedding_features(vectors: NDArray[np.float32] | None) -> dict[str, Any]:
    """Mean and spread of sentence vectors.

    Args:
        vectors: [examples, columns, width], of length 1; None if there are none.
    """
    if vectors is None:
        return {"embedding": None, "embedding_spread": None}
    texts = vectors.reshape(-1, vectors.shape[-1]).astype(np.float64)
    mean = texts.mean(axis=0)
    spread = float(((texts - mean) ** 2).sum(axis=1).mean())
    return {
        "embedding": np.round(mean @ projection(len(mean)), DIGITS).tolist(),
        "embedding_spread": round(spread, DIGITS),
    }


def projection(width: int) -> NDArray[np.float64]:
    """[width, dimensions]: orthogonal columns of one length; distances are, in expectation, what they were.

    It is the same everywhere and always: numpy keeps what `RandomState` draws, and the signs are fixed.
    """
    basis, triangle = np.linalg.qr(np.random.RandomState(0).normal(size=(width, DIMENSIONS)))
    fixed: NDArray[np.float64] = basis * np.sign(np.diag(triangle)) * np.sqrt(width / DIMENSIONS)
    return fixed
