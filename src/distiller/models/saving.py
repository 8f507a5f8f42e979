"""Saving a model as a plain Hugging Face folder."""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from distiller.files import replaced_folder
from distiller.models.loading import quiet


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write weights (safetensors), config and tokenizer into `folder`, which appears whole or not at all."""
    with replaced_folder(folder) as unfinished, quiet():
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
