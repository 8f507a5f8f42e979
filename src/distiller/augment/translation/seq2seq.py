"""Two translation models of the Hugging Face hub, or of two folders."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch

from distiller import models
from distiller.augment.batches import of_one_length
from distiller.augment.translation.engine import Engine, Translation

LONGEST = 200
"""So many tokens a sentence may have, and its translation."""


class Seq2Seq(Engine):
    """Any models of transformers with an encoder and a decoder, such as Marian's: greedy, on a GPU if there is one."""

    type: Literal["models"] = "models"
    forward: str = "Helsinki-NLP/opus-mt-en-de"
    backward: str = "Helsinki-NLP/opus-mt-de-en"

    def there_and_back(self) -> tuple[Translation, Translation]:
        place = "back_translation.engine"
        there, back = (
            models.load_translation_model(model, f"{place}.{name}")
            for name, model in (("forward", self.forward), ("backward", self.backward))
        )
        return partial(_translated, *there), partial(_translated, *back)

    def fingerprint(self) -> str:
        place = "back_translation.engine"
        loaded = (models.load_translation_model(model, place)[0] for model in (self.forward, self.backward))
        return " ".join(map(models.fingerprint, loaded))


@torch.inference_mode()
def _translated(model: Any, tokenizer: Any, sentences: Sequence[str]) -> list[str]:
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    model.to(device)
    encoded = tokenizer([*sentences], truncation=True, max_length=LONGEST)["input_ids"]
    made = [""] * len(sentences)
    for rows, inputs in of_one_length(encoded):
        written = model.generate(
            input_ids=inputs.to(device),
            attention_mask=torch.ones_like(inputs).to(device),
            num_beams=1,
            do_sample=False,
            max_new_tokens=LONGEST,
        )
        for row, text in zip(rows, tokenizer.batch_decode(written, skip_special_tokens=True), strict=False):
            made[row] = text
    return made
