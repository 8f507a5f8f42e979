"""The order of the training texts: shuffled, with texts of like length together, so that little padding is computed."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

BATCHES_PER_POOL = 50


class LengthBucketSampler(Sampler[int]):
    """Texts shuffled into pools of 50 batches, sorted by length within a pool, batches shuffled again.

    The order is a function of (seed, epoch) alone, so that a resumed run sees what an uninterrupted one would.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = torch.tensor(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of that epoch; accelerate calls this before each."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        shuffled = torch.randperm(len(self), generator=generator)
        batches: list[torch.Tensor] = []
        for pool in shuffled.split(self._batch_size * BATCHES_PER_POOL):
            by_length = pool[self._lengths[pool].argsort(descending=True, stable=True)]
            batches.extend(by_length.split(self._batch_size))
        # Only a full batch may stand anywhere but last: the trainer cuts the stream of texts into batches by count.
        full = [batch for batch in batches if len(batch) == self._batch_size]
        short = [batch for batch in batches if len(batch) < self._batch_size]
        order = torch.randperm(len(full), generator=generator).tolist()
        for batch in [*(full[index] for index in order), *short]:
            yield from batch.tolist()
