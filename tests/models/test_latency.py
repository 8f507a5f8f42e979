import itertools
import time
from typing import Any

import numpy as np
import pytest
import torch

from distiller import models


class _Clock:
    """Time that only models let pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Model(torch.nn.Module):
    def __init__(self, clock: _Clock, seconds_per_text: float, order: list[str], name: str) -> None:
        super().__init__()
        self._clock, self._seconds, self._order, self._name = clock, seconds_per_text, order, name

    def forward(self, input_ids: torch.Tensor) -> None:
        self._order.append(self._name)
        self._clock.now += self._seconds * len(input_ids)


def test_models_take_turns_and_figures_are_those_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = _Clock(), []
    monkeypatch.setattr(time, "perf_counter", clock)
    named: Any = {"teacher": _Model(clock, 0.04, order, "teacher"), "student": _Model(clock, 0.01, order, "student")}
    singles = {name: [{"input_ids": torch.ones(1, 4)}] * 45 for name in named}
    batches = {name: [{"input_ids": torch.ones(8, 4)}] * 2 for name in named}
    latency = models.measure(named, singles, batches)
    assert (latency["teacher"].median_ms, latency["student"].median_ms) == (40.0, 10.0)
    assert (latency["student"].p95_ms, latency["student"].p99_ms) == (10.0, 10.0)
    assert (latency["teacher"].sentences_per_second, latency["student"].sentences_per_second) == (25.0, 100.0)
    assert latency["teacher"].sentences == 45
    turns = [(name, len([*same])) for name, same in itertools.groupby(order)]
    alone = [(name, timed + 1) for timed in (20, 20, 5) for name in named]  # and one more to fill the caches
    together = [(name, 2) for _ in range(2) for name in named]
    warm_up = [("teacher", 3), ("student", 3)], [("teacher", 2), ("student", 2)]
    assert turns == [*warm_up[0], *alone, *warm_up[1], *together]


def test_what_is_slow_now_and_then_is_seen_in_the_last_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against numpy, of the very times that passed."""
    clock = _Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    lengths = np.random.default_rng(0).integers(1, 100, 200)
    model: Any = _Model(clock, 0.001, [], "model")
    singles = {"model": [{"input_ids": torch.ones(length, 1)} for length in lengths.tolist()]}
    latency = models.measure({"model": model}, singles, {"model": [{"input_ids": torch.ones(8, 4)}]})["model"]
    expected = np.percentile(lengths, [50, 95, 99])
    assert [latency.median_ms, latency.p95_ms, latency.p99_ms] == pytest.approx(expected, abs=1e-3)
