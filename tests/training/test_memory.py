"""Freed memory stays with the process within the block, and goes back to the system after it."""

import platform

import numpy as np
import psutil
import pytest
from transformers import TrainerState

from distiller.training.memory import STEPS_KEPT, FreedMemoryGivenBack, freed_memory_reused

SIZE = 100_000_000


def _held() -> int:
    return int(psutil.Process().memory_info().rss)


GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")


@GLIBC
def test_freed_memory_is_kept_within_the_block_and_given_back_after_it() -> None:
    with freed_memory_reused():
        ballast = np.ones(SIZE, dtype=np.uint8)
        with_it = _held()
        del ballast
        assert _held() > with_it - 0.2 * SIZE
    assert _held() < with_it - 0.5 * SIZE


@GLIBC
def test_it_is_given_back_now_and_then_within_the_block() -> None:
    callback, state = FreedMemoryGivenBack(), TrainerState()
    with freed_memory_reused():
        ballast = np.ones(SIZE, dtype=np.uint8)
        with_it = _held()
        del ballast
        state.global_step = STEPS_KEPT + 1
        callback.on_step_end(None, state, None)
        assert _held() > with_it - 0.2 * SIZE
        state.global_step = 2 * STEPS_KEPT
        callback.on_step_end(None, state, None)
        assert _held() < with_it - 0.5 * SIZE
