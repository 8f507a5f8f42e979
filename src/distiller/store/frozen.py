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

ALIGNED_BATCH = 4
"""Texts are asked about in multiples of it: products of fewer rows add up in another order."""

LENGTHS_PER_DOUBLING = 16
"""So many lengths a text may be padded to between 32 tokens and 64, and again to 128: at most 6 % are padding."""

Question = tuple[Tensor, Mapping[str, Tensor]]
"""Which texts of a batch, [texts]; and these, filled up, as they are to be given: each tensor [filled, length]."""


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
        if asked is torch.float32 or not has_bfloat16():
            return cls(teacher.eval(), reading, asked, longest)
        model = copy.deepcopy(teacher).to(asked).eval()
        if not torch.accelerator.is_available():
            models.pack(model)
        return cls(model, reading, asked, longest)

    @property
    def precision(self) -> str:
        """The number format that it computes in."""
        return str(self.model.dtype)

    @property
    def batches(self) -> str:
        """On what besides a text the last bits of an answer depend."""
        return f"{LENGTHS_PER_DOUBLING} lengths a doubling, {ALIGNED_BATCH} texts"

    def lengths(self, tokens: Tokens) -> Tensor:
        """[texts]: the length at which it reads each text, whatever stands beside it; it is padded on the right."""
        return self._padded(tokens.lengths)

    def _padded(self, lengths: Tensor) -> Tensor:
        magnitude = torch.frexp(lengths.float()).exponent
        step = (2 ** magnitude.long() // (2 * LENGTHS_PER_DOUBLING)).clamp(min=1)
        rounded = -(-lengths // step) * step
        return torch.minimum(rounded, lengths.clamp(min=self.longest))

    def questions(self, tokens: Tokens, texts: Sequence[int]) -> list[Question]:
        """A batch of texts, those of one length together; texts that are padded on the left all together."""
        if tokens.pads_left:
            return [(torch.arange(len(texts)), tokens.batch(_filled(texts), tokens.length_of(texts)))]
        chosen = torch.as_tensor(texts)
        lengths = self._padded(tokens.lengths[chosen])
        present: list[int] = lengths.unique().tolist()
        groups = [((lengths == length).nonzero().squeeze(-1), length) for length in present]
        return [(rows, tokens.batch(_filled(chosen[rows].tolist()), length)) for rows, length in groups]

    def move_to(self, device: torch.device) -> None:
        """Have it where its questions are."""
        if self.model.device != device:
            self.model.to(device)  # type: ignore[arg-type]

    @torch.no_grad()
    def __call__(self, questions: Sequence[Question], texts: int, length: int) -> Features:
        """What it gives for all `texts` of a batch, padded to `length` or cut there."""
        device = questions[0][0].device
        self.move_to(device)
        with torch.autocast(device.type, enabled=False):
            answers = [(rows, models.read(self.model, inputs, self.reading)) for rows, inputs in questions]
        return _converted(models.joined_features(answers, self.reading, texts, length), self.dtype)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Within the block it can be asked for what it is to give."""
        reads_maps = self.reading is not None and self.reading.kind in models.FROM_MAPS
        with models.attention_maps(*([self.model] if reads_maps else [])):
            yield


def _filled(texts: Sequence[int]) -> list[int]:
    return [*texts, *[texts[0]] * (-len(texts) % ALIGNED_BATCH)]


def _converted(features: Features, dtype: torch.dtype) -> Features:
    layers = {layer: content.to(dtype) for layer, content in features.layers.items()}
    return replace(features, logits=features.logits.to(dtype), layers=layers)
