"""A masked language model for augmentation that knows the texts of a pipeline."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distiller import data, models, tasks
from distiller.augment import adaptation
from distiller.augment.adaptation import Guesses
from distiller.files import replaced_folder
from distiller.pipeline import Pipeline

FOLDER = "masked-lm"


@dataclass(frozen=True)
class Adapted:
    """What was made.

    Attributes:
        folder: A plain one of transformers, for `model` of a `contextual` step.
        guesses: How well it guesses the masked words of the validation texts, which it has not seen; None
            if they have no words that could be masked.
    """

    folder: Path
    guesses: Guesses | None


def adapt_masked_lm(
    pipeline: Pipeline, out: Path, base: str = adaptation.BASE, steps: int = adaptation.STEPS
) -> Adapted:
    """Teach an encoder to say masked words, of general English and of the pipeline's training texts, labelled or not.

    It is kept in the cache too: with the same encoder and texts it is there at once.

    Args:
        pipeline: Whose data is meant.
        out: Where `masked-lm` is left.
        base: The encoder: `asset:NAME`, a folder or a hub id.
        steps: Of 64 texts each.

    Raises:
        UserError: If the data or the encoder is not usable.
    """
    dataset = data.load(pipeline.data, tasks.build(pipeline.task).label_kind, pipeline.seed)
    learned = [dataset.train, *([dataset.unlabelled] if dataset.unlabelled is not None else [])]
    made = adaptation.adapted(base, [text for split in learned for text in _flat(split.texts)], steps)
    folder = out / FOLDER
    with replaced_folder(folder) as unfinished:
        shutil.copytree(made, unfinished, dirs_exist_ok=True)
    model, tokenizer = models.load_masked_language_model(str(folder), "adapt-masked-lm")
    return Adapted(folder, adaptation.guesses(model, tokenizer, _flat(dataset.validation.texts)))


def _flat(texts: Sequence[tuple[str, ...]]) -> list[str]:
    return [side for text in texts for side in text]
