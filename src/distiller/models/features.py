"""What a model gives for a batch: logits, and of its layers what somebody asks for."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from distiller.models.attention import attention_vectors
from distiller.models.pooling import Pooling, by_words, pooled
from distiller.words import NO_WORD, PLACES, WORDS

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
        feature: The one vector of a text, or of each of its words, that is wanted of its hidden states; None for all
            positions.
    """

    kind: Kind
    layers: tuple[int, ...]
    feature: Pooling | None = None


@dataclass(frozen=True)
class Features:
    """What one model gave for a batch.

    Attributes:
        logits: [batch, classes], or [batch, words, classes] of the tokens that words begin with: not a number where
            there is none. Of answers [batch, places, 2]: of the token that begins in a place, whether one begins
            there; of that which ends there, whether one ends.
        mask: [batch, length], nonzero where a position is no padding.
        layers: By layer what was read of it. Hidden states are [batch, length, width], and [batch, 1, width] in at
            least float32 if one vector of a text was wanted. Attention maps and scores are [batch, heads, length,
            length]: probabilities, or their logarithm, finite, whose softmax over the keys is the map. Attention
            vectors are [batch, 3, length, width]: queries, keys and values of all heads.
        counts: As `mask`, for the positions that `layers` have: [batch, 1] of one vector of a text.
        further: By layer, [texts, width]: such vectors of other texts than the batch; empty if nobody asked.
        words: As in the batch; None if nobody asked for words.
        said_of: Of which words, or places of answers, the logits are, as the batch has these; None if of texts.
        of_places: Whether it is places of answers.
    """

    logits: Tensor
    mask: Tensor
    layers: Mapping[int, Tensor]
    counts: Tensor
    further: Mapping[int, Tensor] = field(default_factory=dict)
    words: Tensor | None = None
    said_of: Tensor | None = None
    of_places: bool = False


def read(model: PreTrainedModel, inputs: Mapping[str, Tensor], reading: Reading | None) -> Features:
    """Run a model on a batch.

    Args:
        model: Any with logits; for what comes of attention maps within `attention_maps`.
        inputs: What it takes, each [batch, length], or [batch, length, width] of embeddings; with the attention mask.
            With `words`, [batch, words, 2], logits of tokens become those of the first token of each word; with
            `places`, [batch, places, 2], logits of answers become those of places.
        reading: What of its layers is wanted; None for logits alone, which costs nothing besides.
    """
    inputs = {**inputs}
    words, places = inputs.pop(WORDS, None), inputs.pop(PLACES, None)
    kind = reading.kind if reading is not None else None
    recording: AbstractContextManager[list[Tensor]] = nullcontext([])
    if kind == "attention_vectors":
        recording = attention_vectors(model)
    with recording as vectors:
        output = model(**inputs, output_hidden_states=kind == "hidden_states", output_attentions=kind in FROM_MAPS)
    mask = inputs["attention_mask"] if "attention_mask" in inputs else torch.ones_like(inputs["input_ids"])
    logits, said_of = _said(output, words, places)
    features = Features(logits, mask, {}, mask, words=words, said_of=said_of, of_places=places is not None)
    if reading is None:
        return features
    if reading.kind == "hidden_states":
        states = {layer: output.hidden_states[layer] for layer in reading.layers}
        return _pooled(replace(features, layers=states), reading.feature)
    attention = vectors if reading.kind == "attention_vectors" else output.attentions
    layers = {layer: attention[layer - 1] for layer in reading.layers}
    return replace(features, layers=as_scores(layers) if kind == "attention_scores" else layers)


def _said(output: Any, words: Tensor | None, places: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The logits of texts, of words or of places; and of which words or places they are."""
    if places is not None:
        return _of_places(output.start_logits, output.end_logits, places), places
    if words is None or output.logits.dim() == 2:
        return output.logits, None
    return _of_words(output.logits, words), words


def _of_places(begins: Tensor, ends: Tensor, places: Tensor) -> Tensor:
    """[batch, places, 2] of logits [batch, length]; not a number where there is no token."""
    sides = zip((begins, ends), places.clamp(min=0).unbind(dim=-1), strict=True)
    logits = torch.stack([side.gather(1, position) for side, position in sides], dim=-1)
    return logits.masked_fill(places < 0, torch.nan)


def _of_words(logits: Tensor, words: Tensor) -> Tensor:
    """[batch, words, classes] of logits [batch, length, classes]; not a number where there is no token."""
    first, end = words.unbind(dim=-1)
    position = first.clamp(min=0).unsqueeze(-1).expand(-1, -1, logits.shape[-1])
    return logits.gather(1, position).masked_fill((end <= first).unsqueeze(-1), torch.nan)


def as_scores(maps: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """The logarithm of attention maps, finite."""
    return {layer: _logarithm(probabilities) for layer, probabilities in maps.items()}


def joined_features(
    parts: Sequence[tuple[Tensor, Features]], reading: Reading | None, texts: int, length: int
) -> Features:
    """Features of a batch of so many texts, of parts of it that were read at lengths of their own.

    Args:
        parts: Which texts in rising order, [texts of the part], and what was read of them, perhaps of further ones
            after these.
        reading: What was wanted.
        texts: In the batch.
        length: Of the batch; positions beyond are cut, and what no part has is zero.
    """
    rows, answers = zip(*parts, strict=True)
    join = partial(_joined, rows, texts, length)
    logits = _joined_logits(rows, texts, [answer.logits for answer in answers])
    mask = join([answer.mask for answer in answers], (1,))
    words = _joined_words(rows, texts, [answer.words for answer in answers if answer.words is not None])
    said_of = _joined_words(rows, texts, [answer.said_of for answer in answers if answer.said_of is not None])
    of_places = answers[0].of_places
    if reading is None:
        return Features(logits, mask, {}, mask, words=words, said_of=said_of, of_places=of_places)
    axes = () if reading.feature is not None else (-1, -2) if reading.kind in FROM_MAPS else (-2,)
    if reading.feature == "words" and words is not None:
        axes, join = (1,), partial(_joined, rows, texts, words.shape[1])
    layers = {layer: join([answer.layers[layer] for answer in answers], axes) for layer in reading.layers}
    counts = mask if reading.feature is None else join([answer.counts for answer in answers], axes)
    return Features(logits, mask, layers, counts, words=words, said_of=said_of, of_places=of_places)


def _joined_logits(rows: Sequence[Tensor], texts: int, contents: Sequence[Tensor]) -> Tensor:
    if contents[0].dim() == 2:
        return _joined(rows, texts, 1, contents, ())
    most = max(content.shape[1] for content in contents)
    padded = [functional.pad(content, (0, 0, 0, most - content.shape[1]), value=torch.nan) for content in contents]
    return _joined(rows, texts, most, padded, (1,))


def _joined_words(rows: Sequence[Tensor], texts: int, contents: Sequence[Tensor]) -> Tensor | None:
    if not contents:
        return None
    most = max(content.shape[1] for content in contents)
    padded = [functional.pad(content, (0, 0, 0, most - content.shape[1]), value=NO_WORD) for content in contents]
    return _joined(rows, texts, most, padded, (1,))


def _joined(rows: Sequence[Tensor], texts: int, length: int, contents: Sequence[Tensor], axes: Sequence[int]) -> Tensor:
    """[texts, …], and `length` along the axes of positions: each content where its rows belong."""
    if len(contents) == 1 and len(rows[0]) == texts and all(contents[0].shape[axis] >= length for axis in axes):
        whole = contents[0][:texts]
        for axis in axes:
            whole = whole.narrow(axis, 0, length)
        return whole.contiguous()
    shape = [texts, *contents[0].shape[1:]]
    for axis in axes:
        shape[axis] = length
    joined = contents[0].new_zeros(shape)
    for own, content in zip(rows, contents, strict=True):
        target = joined
        for axis in axes:
            common = min(length, content.shape[axis])
            target, content = target.narrow(axis, 0, common), content.narrow(axis, 0, common)
        target.index_copy_(0, own, content[: len(own)])
    return joined


def _pooled(features: Features, feature: Pooling | None) -> Features:
    if feature is None:
        return features
    if feature == "words":
        return _pooled_by_words(features)
    vectors = {layer: pooled(states, features.mask, feature) for layer, states in features.layers.items()}
    _, counts = next(iter(vectors.values()))
    layers = {layer: vector.unsqueeze(1) for layer, (vector, _) in vectors.items()}
    return replace(features, layers=layers, counts=counts.unsqueeze(1))


def _pooled_by_words(features: Features) -> Features:
    if features.words is None:
        raise ValueError("words are to be compared, and the batch does not say where they are")
    words = features.words
    vectors = {layer: by_words(states, features.mask, words) for layer, states in features.layers.items()}
    _, counts = next(iter(vectors.values()))
    return replace(features, layers={layer: vector for layer, (vector, _) in vectors.items()}, counts=counts)


def _logarithm(probabilities: Tensor) -> Tensor:
    probabilities = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
