"""What a model says of a split, and how fast it says it."""

from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from distiller import models
from distiller.errors import UserError
from distiller.models import BATCH, Features
from distiller.tasks import Predictions, Tokens
from distiller.training.examples import Encoded, as_tensor
from distiller.words import NO_WORD

TIMED_SENTENCES = 200


@torch.inference_mode()
def predict(model: PreTrainedModel, split: Encoded, place: str) -> Predictions:
    """Logits of every text, or of every word, in float32, batched by length, in the order of the split.

    Raises:
        UserError: At `place`, if a logit is not finite.
    """
    was_training = model.training
    model.eval()
    order = split.tokens.lengths.argsort(stable=True)
    parts: list[Tensor] = []
    with torch.autocast(model.device.type, enabled=False):
        for rows in order.split(BATCH):
            inputs = {name: tensor.to(model.device) for name, tensor in split.tokens.batch(rows.tolist()).items()}
            parts += _by_text(models.read(model, inputs, None))
    model.train(was_training)
    places = order.argsort().tolist()
    logits = torch.cat([parts[place] for place in places])
    words = split.tokens.words
    read = torch.ones(len(logits), dtype=torch.bool) if words is None else words.end > words.first
    if not bool(logits[read].isfinite().all()):
        raise UserError(place, "predictions are not finite numbers; lower the learning_rate that it is trained with")
    counts = words.counts.numpy() if words is not None else None
    names = cast("dict[int, str]", model.config.id2label)
    return Predictions(
        logits.numpy(), as_tensor(split).numpy(), counts, [names[number] for number in range(logits.shape[1])]
    )


def _by_text(answer: Features) -> list[Tensor]:
    """The logits of each text of a batch: [1, outputs], or [words, outputs]."""
    logits = answer.logits.float().cpu()
    if answer.words is None:
        return [*logits.split(1)]
    present = (answer.words[..., 0] != NO_WORD).cpu()
    return [of_text[there] for of_text, there in zip(logits, present, strict=True)]


def compare_latency(
    compared: dict[str, tuple[PreTrainedModel, Tokens]],
) -> dict[str, dict[str, Any]]:
    """Latency on CPU of each named model, with the same texts as it reads them, side by side."""
    read = {name: replace(tokens, words=None) for name, (_, tokens) in compared.items()}
    singles = {name: [tokens.batch([text]) for text in _timed(tokens)] for name, tokens in read.items()}
    batches = {name: _batches(tokens) for name, tokens in read.items()}
    on_cpu = {name: model.to("cpu").eval() for name, (model, _) in compared.items()}  # type: ignore[arg-type]
    return {name: latency.describe() for name, latency in models.measure(on_cpu, singles, batches).items()}


def _timed(tokens: Tokens) -> range:
    return range(min(TIMED_SENTENCES, len(tokens)))


def _batches(tokens: Tokens) -> list[dict[str, Tensor]]:
    by_length = tokens.lengths[: len(_timed(tokens))].argsort(stable=True)
    return [tokens.batch(rows.tolist()) for rows in by_length.split(BATCH)]
