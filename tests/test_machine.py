import numpy as np

from distiller import machine


def test_the_peak_of_memory_is_that_since_it_was_reset() -> None:
    """A hundred megabytes count while they are held, and no more once they were given back before the reset."""
    machine.reset_peak_memory()
    before = machine.peak_memory_mb()
    ballast = np.ones(100_000_000, dtype=np.uint8)
    assert machine.peak_memory_mb() > before + 80
    del ballast
    machine.reset_peak_memory()
    assert machine.peak_memory_mb() < before + 50
