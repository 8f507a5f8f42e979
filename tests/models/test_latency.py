import time
from typing import Any

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
    singles = {name: [{"input_ids": torch.ones(1, 4)}] * 5 for name in named}
    batches = {name: [{"input_ids": torch.ones(8, 4)}] * 2 for name in named}
    latency = models.measure(named, singles, batches)
    assert (latency["teacher"].median_ms, latency["student"].median_ms) == (40.0, 10.0)
    assert latency["student"].p95_ms == 10.0
    assert (latency["teacher"].sentences_per_second, latency["student"].sentences_per_second) == (25.0, 100.0)
    timed = order[6 : 6 + 10]  # after three warm-up calls of each model
    assert timed == ["teacher", "student"] * 5
