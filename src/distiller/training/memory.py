"""Memory that a step frees and the next one wants again."""

import ctypes
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
LARGEST = 2**30


def reuse_freed_memory() -> None:
    """Tell the C library (glibc) to keep large freed blocks for this process, where it would give them back.

    Each step frees the gradient of the word embeddings, tens of megabytes, and wants as much again: to get it from the
    system anew, page by page, takes longer than the optimizer needs for all weights.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, LARGEST)
        library.mallopt(TRIM_THRESHOLD, LARGEST)
