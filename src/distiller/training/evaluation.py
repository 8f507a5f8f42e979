"""What a model says of a split, and how fast it says it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from distiller.errors import UserError
from distiller.models import BATCH, measure
from distiller.tasks import Encoding, Predictions, pad
from distiller.training.examples import Encoded

TIMED_SENTENCES = 200


@torch.inference_mode()
def predict(model: PreTrainedModel, split: Encoded, tokenizer: PreTrainedTokenizerBase, place: str) -> Predictions:
    """Logits of every text in float32, batched by length, in the order of the split.

    Raises:
        UserError: At `place`, if a logit is not finite.
    """
    was_training = model.training
    model.eval()
    order = sorted(range(len(split)), key=lambda row: len(split.encodings[row]["input_ids"]))
    parts: list[Tensor] = []
    with torch.autocast(model.device.type, enabled=False):
        for start in range(0, len(order), BATCH):
            batch = pad([split.encodings[row] for row in order[start : start + BATCH]], tokenizer)
            inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
            parts.append(model(**inputs).logits.float().cpu())
    model.train(was_training)
    logits = np.empty((len(order), parts[0].shape[-1]), dtype=np.float32)
    logits[order] = torch.cat(parts).numpy()
    if not np.isfinite(logits).all():
        raise UserError(place, "predictions are not finite numbers; lower the learning_rate that it is trained with")
    return Predictions(logits, np.asarray(split.targets))


def compare_latency(
    models: dict[str, tuple[PreTrainedModel, PreTrainedTokenizerBase, Sequence[Encoding]]],
) -> dict[str, dict[str, Any]]:
    """Latency on CPU of each named model (with its tokenizer and the same texts as it reads them), side by side."""
    singles = {name: [pad([one], tok) for one in texts[:TIMED_SENTENCES]] for name, (_, tok, texts) in models.items()}
    batches = {name: _batches(texts[:TIMED_SENTENCES], tok) for name, (_, tok, texts) in models.items()}
    on_cpu = {name: model.to("cpu").eval() for name, (model, _, _) in models.items()}  # type: ignore[arg-type]
    return {name: latency.describe() for name, latency in measure(on_cpu, singles, batches).items()}


def _batches(texts: Sequence[Encoding], tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Tensor]]:
    by_length = sorted(texts, key=lambda text: len(text["input_ids"]))
    return [pad(by_length[start : start + BATCH], tokenizer) for start in range(0, len(by_length), BATCH)]
