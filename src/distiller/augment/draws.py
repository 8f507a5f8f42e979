"""Random numbers for many texts at once: those of a text depend on it and the seed, and on no other text."""

import hashlib
import zlib
from collections.abc import Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def derived_seed(seed: int, *names: object) -> int:
    """Another seed, of 63 bits, for the part of the work that has these names."""
    digest = hashlib.blake2b(repr((seed, *names)).encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little") >> 1


class Draws:
    """Numbers in [0, 1), of SplitMix64 (Steele et al. 2014): counters that start where the text and the seed say.

    A generator object for each text would take ten times as long as all else that is done to it.

    Args:
        texts: Whose numbers these are.
        seed: Of less than 2^63.
    """

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        codes = [*map(zlib.crc32, map(str.encode, texts, repeat("utf-8"), repeat("surrogatepass")))]
        self._starts = _mixed(_mixed(np.array(codes, dtype=np.uint64)) + np.uint64(seed))

    def per_text(self, stream: int) -> NDArray[np.float64]:
        """[texts], one for each; another stream gives others."""
        return _as_fractions(_mixed(self._stream(stream)))

    def per_item(self, counts: NDArray[np.int64], stream: int) -> NDArray[np.float64]:
        """[sum of counts]: so many for each text, one text after the other."""
        place = np.arange(int(counts.sum())) - np.repeat(counts.cumsum() - counts, counts)
        return _as_fractions(_mixed(np.repeat(self._stream(stream), counts) + place.astype(np.uint64) * _GOLDEN))

    def _stream(self, stream: int) -> NDArray[np.uint64]:
        return _mixed(self._starts + np.array([stream + 1], dtype=np.uint64) * _GOLDEN)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _as_fractions(numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    return (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53
