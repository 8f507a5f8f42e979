"""Loading models that write words: masked language models, and translation models."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from distiller.errors import UserError
from distiller.models.loading import locate, read_from, refuse_drawn, seeded


def load_without_head_for_words(model: str, place: str, seed: int) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """An encoder in float32 with a new head that is to say words, and its tokenizer.

    Args:
        model: `asset:NAME`, a folder or a hub id.
        place: The field that named it, for errors.
        seed: Of the head, as far as it is not the word embeddings.

    Raises:
        UserError: At `place`, if it cannot be loaded, its family has no such head, or its tokenizer no mask.
    """
    with read_from(model, place), seeded(seed):
        tokenizer = AutoTokenizer.from_pretrained(locate(model))
        loaded: PreTrainedModel
        loaded, information = AutoModelForMaskedLM.from_pretrained(
            locate(model), dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    refuse_drawn(loaded, information, model, place, new_head=True)
    if tokenizer.mask_token_id is None or not tokenizer.is_fast:
        raise UserError(place, f"the tokenizer of {model!r} has no mask, or is a slow one; give BERT or its like")
    return loaded, tokenizer


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


def scores_at(model: PreTrainedModel, inputs: Mapping[str, Tensor], places: tuple[Tensor, Tensor]) -> Tensor:
    """[places, vocabulary]: the logits of a masked language model at some places of a batch alone.

    The last layer is as large as the vocabulary, and elsewhere nobody asks what it says.

    Args:
        model: With a head for words.
        inputs: What it takes, each [batch, length].
        places: Of each place its text and its position, both [places].
    """
    texts, positions = places

    def at_places(_: Any, states: tuple[Tensor]) -> tuple[Tensor]:
        return (states[0][texts, positions],)

    head: Any = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(at_places)
    try:
        scores: Tensor = model(**inputs).logits
    finally:
        hook.remove()
    return scores


def whole_words(tokenizer: PreTrainedTokenizerBase) -> list[str | None]:
    """By its number, the word of each token that is a whole one, of letters; None for all others."""
    given: Any = tokenizer
    tokens: list[str] = given.convert_ids_to_tokens([*range(len(tokenizer))])
    special = {*tokenizer.all_special_tokens}
    start = next((mark for mark in ("Ġ", "▁") if any(token.startswith(mark) for token in tokens)), "")
    if not start:  # WordPiece marks what goes on with a word, the others what begins one
        return [token if token.isalpha() and token not in special else None for token in tokens]
    words = [given.convert_tokens_to_string([token]).strip() for token in tokens]
    return [
        word if token.startswith(start) and word.isalpha() and token not in special else None
        for token, word in zip(tokens, words, strict=True)
    ]


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
