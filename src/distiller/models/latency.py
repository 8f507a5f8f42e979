"""How long a sentence takes, models side by side: what a user of the student gains."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

BATCH = 32


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one sentence alone (median and 95th percentile), and sentences a second in batches of 32."""

    median_ms: float
    p95_ms: float
    sentences_per_second: float
    sentences: int
    threads: int

    def describe(self) -> dict[str, Any]:
        """As the run record has it."""
        return asdict(self)


def measure(
    models: Mapping[str, PreTrainedModel],
    singles: Mapping[str, Sequence[dict[str, Tensor]]],
    batches: Mapping[str, Sequence[dict[str, Tensor]]],
) -> dict[str, Latency]:
    """Time every model on CPU in float32 on the same sentences, interleaved, so that noise falls on all alike.

    Args:
        models: The models by name; they are timed where they are, on CPU.
        singles: For each model the same sentences, each tensor [1, length].
        batches: For each model the same sentences in batches, each tensor [batch, length].
    """
    alone = _interleaved(models, singles)
    together = _interleaved(models, batches)
    return {name: _latency(alone[name], together[name], batches[name]) for name in models}


def _latency(alone: list[float], together: list[float], batches: Sequence[dict[str, Tensor]]) -> Latency:
    rates = [batch["input_ids"].shape[0] / seconds for batch, seconds in zip(batches, together, strict=True)]
    return Latency(
        median_ms=round(1000 * float(np.median(alone)), 3),
        p95_ms=round(1000 * float(np.percentile(alone, 95)), 3),
        sentences_per_second=round(float(np.median(rates)), 1),
        sentences=len(alone),
        threads=torch.get_num_threads(),
    )


@torch.inference_mode()
def _interleaved(
    models: Mapping[str, PreTrainedModel], inputs: Mapping[str, Sequence[dict[str, Tensor]]]
) -> dict[str, list[float]]:
    for name, model in models.items():
        for batch in inputs[name][:3]:
            model(**batch)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for row in range(min(len(batches) for batches in inputs.values())):
        for name, model in models.items():
            began = time.perf_counter()
            model(**inputs[name][row])
            seconds[name].append(time.perf_counter() - began)
    return seconds
