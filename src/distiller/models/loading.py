"""Loading tokenizers and sequence classifiers from an asset, a folder or the hub; safetensors only."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from distiller import assets
from distiller.errors import UserError

ASSET = "asset:"


def locate(model: str) -> str:
    """The folder of `asset:NAME`, or a folder that exists, or else a hub id, as transformers takes it."""
    if model.startswith(ASSET):
        return str(assets.fetch(model.removeprefix(ASSET), "model"))
    return str(Path(model).expanduser()) if Path(model).expanduser().is_dir() else model


def load_config(model: str, place: str) -> PretrainedConfig:
    """The transformers config of `model`.

    Raises:
        UserError: At `place`, if there is no such model, or it has no sequence-classification head in transformers.
    """
    with _read_from(model, place):
        config: PretrainedConfig = AutoConfig.from_pretrained(locate(model))
    if type(config) not in AutoModelForSequenceClassification._model_mapping:
        raise UserError(place, f"{model!r} is a {config.model_type} model, which has no sequence-classification head")
    return config


def load_tokenizer(model: str, place: str) -> PreTrainedTokenizerBase:
    """The tokenizer of `model`, with a padding token.

    Raises:
        UserError: At `place`, if `model` has none.
    """
    with _read_from(model, place):
        tokenizer = AutoTokenizer.from_pretrained(locate(model))
    if tokenizer.pad_token is None:
        raise UserError(place, f"the tokenizer of {model!r} has no padding token; set one in its folder")
    # Batches are padded long after tokenising, when they are put together: transformers would advise against it.
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    return tokenizer


def load_classifier(model: str, head: dict[str, Any], place: str, seed: int) -> PreTrainedModel:
    """The encoder of `model` in float32 with a head of that shape.

    A head that the checkpoint lacks is drawn from `seed`, without touching the global random state.

    Args:
        model: `asset:NAME`, a folder or a hub id.
        head: Fields of the transformers config, as `tasks` gives them; empty to keep the checkpoint's own head.
        place: The field that named the model, for errors.
        seed: Seed of what has to be drawn.

    Raises:
        UserError: At `place`, if the model cannot be loaded or its weights are not in safetensors.
    """
    with _read_from(model, place), seeded(seed), quiet():
        loaded: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            locate(model), dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=bool(head), **head
        )
    loaded.eval()
    return loaded


def longest_text(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens a model can read: what its tokenizer says, and at most its positions."""
    positions = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    return int(min(positions, tokenizer.model_max_length))


def same_tokenizer(first: PreTrainedTokenizerBase, second: PreTrainedTokenizerBase) -> bool:
    """Whether both split every text alike: the same vocabulary, rules and special tokens."""
    if type(first) is not type(second) or first.get_vocab() != second.get_vocab():
        return False
    if first.is_fast and second.is_fast:
        return bool(_rules(first) == _rules(second))
    return bool(first.init_kwargs == second.init_kwargs)


def _rules(tokenizer: Any) -> Any:
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: rules[name] for name in rules if name not in ("truncation", "padding")}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block, and leave torch's global random state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from remarks and bars of its own: new heads are no surprise, progress has its own bar."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        if bar:
            transformers_logging.enable_progress_bar()


@contextmanager
def _read_from(model: str, place: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, HFValidationError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(place, f"cannot load {model!r} as asset:NAME, a folder or a hub id: {reason}") from error
