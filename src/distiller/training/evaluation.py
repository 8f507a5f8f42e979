"""What a model says of a split, and how fast it says it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from distiller import models
from distiller.errors import UserError
from distiller.models import BATCH, Features
from distiller.tasks import Predictions, Task, Tokens
from distiller.training.examples import Encoded, as_tensor
from distiller.words import NO_WORD

TIMED_SENTENCES = 200


@torch.inference_mode()
def predict(model: PreTrainedModel, split: Encoded, place: str) -> Predictions:
    """Logits of every text, or of every word or place, in float32, batched by length, in the order of the split.

    Raises:
        UserError: At `place`, if a logit is not finite.
    """
    was_training = model.training
    model.eval()
    order = split.tokens.lengths.argsort(stable=True)
    parts: list[tuple[Tensor, Tensor]] = []
    with torch.autocast(model.device.type, enabled=False):
        for rows in order.split(BATCH):
            inputs = {name: tensor.to(model.device) for name, tensor in split.tokens.batch(rows.tolist()).items()}
            parts += _by_text(models.read(model, inputs, None))
    model.train(was_training)
    logits, read = (torch.cat([parts[place][side] for place in order.argsort().tolist()]) for side in (0, 1))
    if not bool(logits[read].isfinite().all()):
        raise UserError(place, "predictions are not finite numbers; lower the learning_rate that it is trained with")
    counts = split.tokens.words.said.numpy() if split.tokens.words is not None else None
    names = cast("dict[int, str]", model.config.id2label)
    classes = [names[number] for number in range(logits.shape[1])] if split.passages is None else None
    return Predictions(logits.numpy(), as_tensor(split).numpy(), counts, classes, split.passages)


def judged(model: PreTrainedModel, split: Encoded, task: Task, place: str) -> Predictions:
    """As `predict`, with what was settled of the model on the validation split."""
    return replace(predict(model, split, place), threshold=task.threshold(model.config))


def in_order(predictions: Predictions, order: Sequence[int] | None) -> Predictions:
    """With those outputs, in that order; None: as they are."""
    if order is None:
        return predictions
    names = predictions.classes and [predictions.classes[output] for output in order]
    return replace(predictions, logits=predictions.logits[:, order], classes=names)


def averaged(said: Sequence[Predictions]) -> Predictions:
    """The mean of the logits of several models for the same examples; nothing is settled of it."""
    return replace(said[0], logits=np.mean([each.logits for each in said], axis=0), threshold=None)


def settle(model: PreTrainedModel, validation: Encoded, task: Task, place: str) -> None:
    """Write into the config of a trained model what its predictions of the validation split are to choose.

    Raises:
        UserError: As `predict`.
    """
    if task.is_settled:
        model.config.update(task.settled(predict(model, validation, place)))


def _by_text(answer: Features) -> list[tuple[Tensor, Tensor]]:
    """The logits of each text of a batch, [1, outputs] or [words, outputs], and of which of them any token was read."""
    logits = answer.logits.float().cpu()
    if answer.said_of is None:
        return [(of_text, torch.ones_like(of_text, dtype=torch.bool)) for of_text in logits.split(1)]
    said_of = answer.said_of.cpu()
    there = said_of[..., 0] != NO_WORD
    read = said_of >= 0 if answer.of_places else (said_of[..., 1:] > said_of[..., :1]).expand_as(logits)
    return [(logits[text][there[text]], read[text][there[text]]) for text in range(len(logits))]


def compare_latency(compared: dict[str, tuple[torch.nn.Module, Tokens]]) -> dict[str, dict[str, Any]]:
    """Latency on CPU of each named model, with the same texts as it reads them, side by side.

    Contexts may be cut into more passages for one model than for another: then each reads as many of its own.
    """
    timed = min(TIMED_SENTENCES, *(len(tokens) for _, tokens in compared.values()))
    read = {name: replace(tokens, words=None) for name, (_, tokens) in compared.items()}
    singles = {name: [tokens.batch([text]) for text in range(timed)] for name, tokens in read.items()}
    batches = {name: _batches(tokens, timed) for name, tokens in read.items()}
    on_cpu = {name: model.to("cpu").eval() for name, (model, _) in compared.items()}
    return {name: latency.describe() for name, latency in models.measure(on_cpu, singles, batches).items()}


def one_after_the_other(latencies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Latency of models that all read each text: the sum. Of percentiles other than the median that is at most."""
    if len(latencies) == 1:
        return latencies[0]
    added = {name: round(sum(each[name] for each in latencies), 3) for name in ("median_ms", "p95_ms", "p99_ms")}
    rate = round(1 / sum(1 / each["sentences_per_second"] for each in latencies), 1)
    return {**latencies[0], **added, "sentences_per_second": rate}


def _batches(tokens: Tokens, timed: int) -> list[dict[str, Tensor]]:
    by_length = tokens.lengths[:timed].argsort(stable=True)
    return [tokens.batch(rows.tolist()) for rows in by_length.split(BATCH)]
