"""The teacher as it answers, kept outputs or not: the same numbers for a text, whatever texts stand beside it."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from distiller import models
from distiller.machine import has_bfloat16
from distiller.models import Features, Reading
from distiller.store.config import Format
from distiller.tasks import Tokens

ALIGNED_LENGTH, ALIGNED_BATCH = 16, 8
"""Batches are filled up to multiples: then sums are in one order, whatever a text is padded or batched with."""


@dataclass(frozen=True)
class FrozenTeacher:
    """A teacher that is asked and never trained.

    Attributes:
        model: In the number format that it computes in.
        reading: What of its layers is wanted besides logits.
        dtype: The number format of what it gives.
        longest: How many tokens it can read.
    """

    model: PreTrainedModel
    reading: Reading | None
    dtype: torch.dtype
    longest: int

    @classmethod
    def of(cls, teacher: PreTrainedModel, reading: Reading | None, dtype: Format, longest: int) -> "FrozenTeacher":
        """A teacher that answers in that format; it computes in it too, unless the hardware only emulates it."""
        asked = getattr(torch, dtype)
        if reading is not None and reading.kind == "attention_scores":
            reading = replace(reading, kind="attention_maps")  # of which scores are made where they are used
        model = teacher if asked is torch.float32 or not has_bfloat16() else copy.deepcopy(teacher).to(asked)
        return cls(model.eval(), reading, asked, longest)

    @property
    def precision(self) -> str:
        """The number format that it computes in."""
        return str(self.model.dtype)

    def inputs(self, tokens: Tokens, texts: Sequence[int]) -> dict[str, Tensor]:
        """A batch of texts as it is to be given, each tensor [batch, length]: filled up, by the first of them again."""
        filled = [*texts, *[texts[0]] * (-len(texts) % ALIGNED_BATCH)]
        return tokens.batch(filled, tokens.length_of(texts, ALIGNED_LENGTH, at_most=self.longest))

    @torch.no_grad()
    def __call__(self, inputs: Mapping[str, Tensor], texts: int, length: int) -> Features:
        """What it gives for the first `texts` of a batch, the positions cut at `length`."""
        device = inputs["input_ids"].device
        if self.model.device != device:
            self.model.to(device)  # type: ignore[arg-type]
        with torch.autocast(device.type, enabled=False):
            features = models.read(self.model, inputs, self.reading)
        return _converted(models.cut_features(features, self.reading, texts, length), self.dtype)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Within the block it can be asked for what it is to give."""
        reads_maps = self.reading is not None and self.reading.kind in models.FROM_MAPS
        with models.attention_maps(*([self.model] if reads_maps else [])):
            yield


def _converted(features: Features, dtype: torch.dtype) -> Features:
    layers = {layer: content.to(dtype) for layer, content in features.layers.items()}
    return replace(features, logits=features.logits.to(dtype), layers=layers)
