"""Saving a model as a plain Hugging Face folder."""

from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import CONFIG_NAME

from distiller.files import replaced_folder
from distiller.models.loading import quiet


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write weights (safetensors), config and tokenizer into `folder`, which appears whole or not at all."""
    with replaced_folder(folder) as unfinished, quiet():
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        # safetensors lets the owner alone read its files; the config has the mode that the user's umask gives.
        mode = (unfinished / CONFIG_NAME).stat().st_mode
        for path in unfinished.iterdir():
            path.chmod(mode)
