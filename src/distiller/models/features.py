"""What a model gives for a batch: logits, and of its layers what somebody asks for."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from distiller.models.attention import attention_vectors

Reading = Literal["hidden_states", "attention_maps", "attention_scores", "attention_vectors"]
"""What of the layers can be read."""

FROM_MAPS: tuple[Reading, ...] = ("attention_maps", "attention_scores")
"""What comes of the attention maps, which a model gives within `attention_maps` alone."""


@dataclass(frozen=True)
class Features:
    """What one model gave for a batch.

    Attributes:
        logits: [batch, classes] or [batch, length, classes].
        mask: [batch, length], nonzero where a position is no padding.
        hidden_states: One [batch, length, width] per layer, the embedding output first; None if nobody asked.
        attention_maps: One [batch, heads, length, length] per transformer layer, probabilities; None if nobody asked.
        attention_vectors: One [batch, 3, length, width] per transformer layer: queries, keys and values of all heads;
            None if nobody asked.
    """

    logits: Tensor
    mask: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attention_maps: tuple[Tensor, ...] | None = None
    attention_vectors: tuple[Tensor, ...] | None = None

    @cached_property
    def attention_scores(self) -> tuple[Tensor, ...] | None:
        """The logarithm of the attention maps, finite: scores whose softmax over the keys is the map."""
        if self.attention_maps is None:
            return None
        return tuple(_logarithm(layer) for layer in self.attention_maps)


def read(model: PreTrainedModel, inputs: Mapping[str, Tensor], reading: Reading | None) -> Features:
    """Run a model on a batch.

    Args:
        model: Any with logits; for what comes of attention maps within `attention_maps`.
        inputs: What it takes, each [batch, length].
        reading: What of its layers is wanted; None for logits alone, which costs nothing besides.
    """
    with attention_vectors(model) if reading == "attention_vectors" else nullcontext(None) as recorded:
        output = model(
            **inputs, output_hidden_states=reading == "hidden_states", output_attentions=reading in FROM_MAPS
        )
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    vectors = tuple(recorded) if recorded is not None else None
    return Features(output.logits, mask, output.hidden_states, output.attentions, vectors)


def _logarithm(probabilities: Tensor) -> Tensor:
    probabilities = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
