"""What a model says of a split, and how fast it says it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from distiller.errors import UserError
from distiller.models import BATCH, measure
from distiller.tasks import Predictions, Tokens
from distiller.training.examples import Encoded

TIMED_SENTENCES = 200


@torch.inference_mode()
def predict(model: PreTrainedModel, split: Encoded, place: str) -> Predictions:
    """Logits of every text in float32, batched by length, in the order of the split.

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
            parts.append(model(**inputs).logits.float().cpu())
    model.train(was_training)
    logits = np.empty((len(order), parts[0].shape[-1]), dtype=np.float32)
    logits[order] = torch.cat(parts).numpy()
    if not np.isfinite(logits).all():
        raise UserError(place, "predictions are not finite numbers; lower the learning_rate that it is trained with")
    return Predictions(logits, np.asarray(split.targets))


def compare_latency(
    models: dict[str, tuple[PreTrainedModel, Tokens]],
) -> dict[str, dict[str, Any]]:
    """Latency on CPU of each named model, with the same texts as it reads them, side by side."""
    singles = {name: [tokens.batch([text]) for text in _timed(tokens)] for name, (_, tokens) in models.items()}
    batches = {name: _batches(tokens) for name, (_, tokens) in models.items()}
    on_cpu = {name: model.to("cpu").eval() for name, (model, _) in models.items()}  # type: ignore[arg-type]
    return {name: latency.describe() for name, latency in measure(on_cpu, singles, batches).items()}


def _timed(tokens: Tokens) -> range:
    return range(min(TIMED_SENTENCES, len(tokens)))


def _batches(tokens: Tokens) -> list[dict[str, Tensor]]:
    by_length = tokens.lengths[: len(_timed(tokens))].argsort(stable=True)
    return [tokens.batch(rows.tolist()) for rows in by_length.split(BATCH)]
