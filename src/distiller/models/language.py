"""Loading models that write words: masked language models, and translation models."""

from typing import Any

import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from distiller.errors import UserError
from distiller.models.loading import locate, read_from


def load_masked_language_model(model: str, place: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model that says which words may stand where one is masked, in float32, and its tokenizer.

    Args:
        model: `asset:NAME`, a folder or a hub id.
        place: The field that named it, for errors.

    Raises:
        UserError: At `place`, if it cannot be loaded, or has no such head.
    """
    loaded, tokenizer = _load(AutoModelForMaskedLM, model, place)
    if tokenizer.mask_token_id is None:
        raise UserError(place, f"the tokenizer of {model!r} has no mask; give a masked language model")
    return loaded, tokenizer


def load_translation_model(model: str, place: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model with an encoder and a decoder, in float32, and its tokenizer.

    Args:
        model: A folder or a hub id.
        place: The field that named it, for errors.

    Raises:
        UserError: At `place`, if it cannot be loaded.
    """
    return _load(AutoModelForSeq2SeqLM, model, place)


def _load(kind: Any, model: str, place: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    loaded: PreTrainedModel
    with read_from(model, place):
        tokenizer = AutoTokenizer.from_pretrained(locate(model))
        loaded, information = kind.from_pretrained(
            locate(model), dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    lacking = sorted(information["missing_keys"])
    if lacking:
        raise UserError(place, f"{model!r} has no head for words (its weights lack {lacking[0]}); give another model")
    return loaded.eval(), tokenizer
