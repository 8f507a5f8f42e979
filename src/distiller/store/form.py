"""How what a teacher gives for a batch lies on a shelf: rows of each text, one after the other; and back."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from distiller.models import Features, Reading, as_scores
from distiller.store.column import Column
from distiller.tasks import Tokens
from distiller.words import NO_WORD

LOGITS = "logits"


def names(reading: Reading | None) -> dict[str, int | None]:
    """What is kept, by the name of its shelf, and of which layer that is; None: logits."""
    if reading is None:
        return {LOGITS: None}
    form = f"{reading.kind}-{reading.feature}" if reading.feature is not None else reading.kind
    return {LOGITS: None, **{f"{form}-{layer}": layer for layer in reading.layers}}


def row_counts(name: str, reading: Reading | None, tokens: Tokens, *, of_words: bool) -> Tensor:
    """[texts]: how many rows each has on the shelf of that name; `of_words`: whether there are logits of each word."""
    lengths = tokens.lengths
    if tokens.words is not None and name == LOGITS and of_words:
        return tokens.words.said
    if tokens.words is not None and name != LOGITS and reading is not None and reading.feature == "words":
        return tokens.words.counts
    if name == LOGITS or reading is None or reading.feature is not None:
        return torch.ones_like(lengths)
    return lengths.square() if reading.kind == "attention_maps" else lengths


def rows(features: Features, reading: Reading | None) -> dict[str, tuple[Tensor, Tensor]]:
    """Of a batch, by the name of the shelf: how many rows each text has, and the rows [rows, …] of all of them."""
    return {
        name: _of_logits(features) if layer is None or reading is None else _of_layer(features, layer, reading)
        for name, layer in names(reading).items()
    }


def restored_logits(columns: Mapping[str, Column], texts: Sequence[int], *, of_words: bool) -> Tensor:
    """[batch, classes], or [batch, words, classes], or of answers [batch, places, 2]: not a number where none is."""
    column = columns[LOGITS]
    if not of_words:
        return column.batch(texts, 1).squeeze(1)
    most = _most(column, texts)
    absent = torch.arange(most) >= column.length[torch.as_tensor(texts)].unsqueeze(-1)
    return column.batch(texts, most).masked_fill_(absent.unsqueeze(-1), torch.nan)


def restored_layers(
    columns: Mapping[str, Column], reading: Reading | None, texts: Sequence[int], length: int
) -> dict[int, Tensor]:
    """By layer what was read of it, as `Features` has it of texts that are padded to that length."""
    if reading is None:
        return {}
    layers = {layer: columns[name] for name, layer in names(reading).items() if layer is not None}
    if reading.feature == "words":
        return {layer: column.batch(texts, _most(column, texts)) for layer, column in layers.items()}
    if reading.feature is not None:
        length = 1
    return {layer: _restored(column, reading, texts, length) for layer, column in layers.items()}


def as_features(
    logits: Tensor, layers: Mapping[int, Tensor], further: Mapping[int, Tensor], reading: Reading | None, mask: Tensor
) -> Features:
    """Features of the outputs of a teacher, kept or not.

    Args:
        logits: [batch, classes].
        layers: By layer what was read of it; of `attention_scores` the maps that they come of.
        further: By layer, [texts, width]: vectors of other texts.
        reading: What is wanted.
        mask: [batch, length], nonzero where a position is no padding.
    """
    if reading is not None and reading.feature == "words":
        said = next(iter(layers.values())).isfinite().all(dim=-1)
        return Features(logits, mask, layers, said, further)
    pooled = reading is not None and reading.feature is not None
    if reading is not None and reading.kind == "attention_scores":
        layers = as_scores(layers)
    return Features(logits, mask, layers, mask.new_ones(len(mask), 1) if pooled else mask, further)


def _of_layer(features: Features, layer: int, reading: Reading) -> tuple[Tensor, Tensor]:
    content, valid = features.layers[layer], features.mask.bool()
    if reading.feature == "words" and features.words is not None:
        return _positions(content, _present(features.words))
    if reading.feature is not None:
        return _one_row(content.squeeze(1))
    if reading.kind == "attention_vectors":
        return _positions(content.transpose(1, 2), valid)
    if reading.kind == "attention_maps":
        both = valid.unsqueeze(-1) & valid.unsqueeze(-2)
        return both.flatten(1).sum(dim=1), content.permute(0, 2, 3, 1)[both]
    return _positions(content, valid)


def _of_logits(features: Features) -> tuple[Tensor, Tensor]:
    if features.said_of is None:
        return _one_row(features.logits)
    return _positions(features.logits, _present(features.said_of))


def _present(words: Tensor) -> Tensor:
    """[batch, words]: whether the text has such a word, read or not."""
    return words[..., 0] != NO_WORD


def _most(column: Column, texts: Sequence[int]) -> int:
    return int(column.length[torch.as_tensor(texts)].max())


def _one_row(content: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ones(len(content), dtype=torch.long), content


def _positions(content: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    rows = content.flatten(0, 1)
    if not bool(valid.all()):  # texts of one length have no padding, and nothing is copied then
        rows = rows.index_select(0, valid.flatten().nonzero().squeeze(-1))
    return valid.sum(dim=1), rows


def _restored(column: Column, reading: Reading, texts: Sequence[int], length: int) -> Tensor:
    # Laid out as the model's own: sums depend in their last digits on the order in memory.
    if reading.kind == "attention_maps":
        return column.squares(texts, length).permute(0, 3, 1, 2).contiguous()
    content = column.batch(texts, length)
    return content.transpose(1, 2).contiguous() if reading.kind == "attention_vectors" else content
