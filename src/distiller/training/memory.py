"""Memory of a process that trains: what a step frees and the next one wants again, and what it need not hold."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Kernels of the processor are kept for each shape of a batch: a thousand unless told otherwise, hundreds of megabytes.
# To make one anew takes no time that can be measured. oneDNN reads this when it makes its first.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
LARGEST, USUAL = 2**30, 2**25
"""Bytes; the second is what glibc's own threshold rises to in a process that uses large blocks."""


@contextmanager
def freed_memory_reused() -> Iterator[None]:
    """Within the block the C library (glibc) keeps large freed blocks for the process, and gives them back after it.

    Each step frees the gradient of the word embeddings, tens of megabytes, and wants as much again: to get it from the
    system anew, page by page, takes longer than the optimizer needs for all weights.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    library.mallopt(MMAP_THRESHOLD, LARGEST)
    library.mallopt(TRIM_THRESHOLD, LARGEST)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, USUAL)
        library.mallopt(TRIM_THRESHOLD, 2 * USUAL)
        library.malloc_trim(0)
