"""What a model gives for a batch: logits, and of its layers what somebody asks for."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from distiller.models.attention import attention_vectors
from distiller.models.pooling import TextFeature, pooled

Kind = Literal["hidden_states", "attention_maps", "attention_scores", "attention_vectors"]
"""What of the layers can be read."""

FROM_MAPS: tuple[Kind, ...] = ("attention_maps", "attention_scores")
"""What comes of the attention maps, which a model gives within `attention_maps` alone."""


@dataclass(frozen=True)
class Reading:
    """What is wanted of a model's layers.

    Attributes:
        kind: What of a layer.
        layers: Which; 0 is the embedding output, which has no attention.
        feature: The one vector of a text that is wanted, of its hidden states; None for all positions.
    """

    kind: Kind
    layers: tuple[int, ...]
    feature: TextFeature | None = None


@dataclass(frozen=True)
class Features:
    """What one model gave for a batch.

    Attributes:
        logits: [batch, classes] or [batch, length, classes].
        mask: [batch, length], nonzero where a position is no padding.
        layers: By layer what was read of it. Hidden states are [batch, length, width], and [batch, 1, width] in at
            least float32 if one vector of a text was wanted. Attention maps and scores are [batch, heads, length,
            length]: probabilities, or their logarithm, finite, whose softmax over the keys is the map. Attention
            vectors are [batch, 3, length, width]: queries, keys and values of all heads.
        counts: As `mask`, for the positions that `layers` have: [batch, 1] of one vector of a text.
        further: By layer, [texts, width]: such vectors of other texts than the batch; empty if nobody asked.
    """

    logits: Tensor
    mask: Tensor
    layers: Mapping[int, Tensor]
    counts: Tensor
    further: Mapping[int, Tensor] = field(default_factory=dict)


def read(model: PreTrainedModel, inputs: Mapping[str, Tensor], reading: Reading | None) -> Features:
    """Run a model on a batch.

    Args:
        model: Any with logits; for what comes of attention maps within `attention_maps`.
        inputs: What it takes, each [batch, length].
        reading: What of its layers is wanted; None for logits alone, which costs nothing besides.
    """
    kind = reading.kind if reading is not None else None
    recording: AbstractContextManager[list[Tensor]] = nullcontext([])
    if kind == "attention_vectors":
        recording = attention_vectors(model)
    with recording as vectors:
        output = model(**inputs, output_hidden_states=kind == "hidden_states", output_attentions=kind in FROM_MAPS)
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    if reading is None:
        return Features(output.logits, mask, {}, mask)
    if reading.kind == "hidden_states":
        states = {layer: output.hidden_states[layer] for layer in reading.layers}
        return _pooled(Features(output.logits, mask, states, mask), reading.feature)
    attention = vectors if reading.kind == "attention_vectors" else output.attentions
    layers = {layer: attention[layer - 1] for layer in reading.layers}
    return Features(output.logits, mask, as_scores(layers) if kind == "attention_scores" else layers, mask)


def as_scores(maps: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """The logarithm of attention maps, finite."""
    return {layer: _logarithm(probabilities) for layer, probabilities in maps.items()}


def cut_features(features: Features, reading: Reading | None, texts: int, length: int) -> Features:
    """Features of the first `texts` of a batch, and of no more than `length` positions."""
    mask = features.mask[:texts, :length]
    logits = features.logits[:texts] if features.logits.dim() == 2 else features.logits[:texts, :length]
    if reading is None:
        return replace(features, logits=logits, mask=mask, counts=mask)
    layers = {layer: _cut(content[:texts], reading, length) for layer, content in features.layers.items()}
    counts = features.counts[:texts, :length]
    return replace(features, logits=logits, mask=mask, layers=layers, counts=counts)


def _cut(content: Tensor, reading: Reading, length: int) -> Tensor:
    if reading.kind in FROM_MAPS:
        return content[..., :length, :length]
    return content[..., :length, :]


def _pooled(features: Features, feature: TextFeature | None) -> Features:
    if feature is None:
        return features
    vectors = {layer: pooled(states, features.mask, feature) for layer, states in features.layers.items()}
    _, counts = next(iter(vectors.values()))
    layers = {layer: vector.unsqueeze(1) for layer, (vector, _) in vectors.items()}
    return replace(features, layers=layers, counts=counts.unsqueeze(1))


def _logarithm(probabilities: Tensor) -> Tensor:
    probabilities = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
