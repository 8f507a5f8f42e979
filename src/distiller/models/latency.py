"""How long a sentence takes, models side by side: what a user of the student gains."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

BATCH = 32
BLOCK = 20
"""So many sentences are read by one model before it is the turn of the next."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one sentence alone (median, 95th and 99th percentile), and sentences a second in batches of 32.

    The tokenizer's time is not in it.
    """

    median_ms: float
    p95_ms: float
    p99_ms: float
    sentences_per_second: float
    sentences: int
    threads: int

    def describe(self) -> dict[str, Any]:
        """As the run record has it."""
        return asdict(self)


def measure(
    models: Mapping[str, Callable[..., object]],
    singles: Mapping[str, Sequence[dict[str, Tensor]]],
    batches: Mapping[str, Sequence[dict[str, Tensor]]],
) -> dict[str, Latency]:
    """Time every model on the same sentences.

    Models take turns, so that noise falls on all alike, in blocks of sentences, so that each is measured as it runs
    when it is alone: the first sentence of a block is read once more before the clock starts, since the processor's
    caches hold another model then.

    Args:
        models: The models by name; they are timed where they are, on CPU.
        singles: For each model the same sentences, each tensor [1, length].
        batches: For each model the same sentences in batches, each tensor [batch, length].
    """
    alone = _in_turns(models, singles, BLOCK)
    together = _in_turns(models, batches, 1)
    return {name: _latency(alone[name], together[name], batches[name]) for name in models}


def _latency(alone: list[float], together: list[float], batches: Sequence[dict[str, Tensor]]) -> Latency:
    rates = [batch["input_ids"].shape[0] / seconds for batch, seconds in zip(batches, together, strict=True)]
    median, p95, p99 = (round(1000 * float(np.percentile(alone, share)), 3) for share in (50, 95, 99))
    return Latency(
        median_ms=median,
        p95_ms=p95,
        p99_ms=p99,
        sentences_per_second=round(float(np.median(rates)), 1),
        sentences=len(alone),
        threads=torch.get_num_threads(),
    )


@torch.inference_mode()
def _in_turns(
    models: Mapping[str, Callable[..., object]], inputs: Mapping[str, Sequence[dict[str, Tensor]]], block: int
) -> dict[str, list[float]]:
    for name, model in models.items():
        for batch in inputs[name][:3]:
            model(**batch)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    count = min(map(len, inputs.values()))
    for first in range(0, count, block):
        for name, model in models.items():
            seconds[name] += _seconds(model, inputs[name][first : min(first + block, count)])
    return seconds


def _seconds(model: Callable[..., object], batches: Sequence[dict[str, Tensor]]) -> list[float]:
    model(**batches[0])
    seconds = []
    for batch in batches:
        began = time.perf_counter()
        model(**batch)
        seconds.append(time.perf_counter() - began)
    return seconds
