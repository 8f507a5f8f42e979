"""Memory of a process that trains: what a step frees and the next one wants again, and what it need not hold."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import TrainerCallback

# Kernels of the processor are kept for each shape of a batch: a thousand unless told otherwise, for a run's whole life.
# To make those of a batch anew takes about a hundredth of a step. oneDNN reads this when it makes its first.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
STEPS_KEPT = 50
"""Getting it from the system again takes as long as a quarter of a step."""

LARGEST, USUAL = 2**30, 2**25
"""Bytes; the second is what glibc's own threshold rises to in a process that uses large blocks."""


@contextmanager
def freed_memory_reused() -> Iterator[None]:
    """Within the block the C library (glibc) keeps large freed blocks for the process, and gives them back after it.

    Each step frees the gradient of the word embeddings, tens of megabytes, and wants as much again: to get it from the
    system anew, page by page, takes longer than the optimizer needs for all weights.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGEST)
    library.mallopt(TRIM_THRESHOLD, LARGEST)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, USUAL)
        library.mallopt(TRIM_THRESHOLD, 2 * USUAL)
        library.malloc_trim(0)


class FreedMemoryGivenBack(TrainerCallback):
    """Now and then give it back all the same: batches differ in size, and what one leaves does not fit the next."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        library = _glibc()
        if library is not None and state.global_step % STEPS_KEPT == 0:
            library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
