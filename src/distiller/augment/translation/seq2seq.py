"""Two translation models of the Hugging Face hub, or of two folders."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from distiller import models
from distiller.augment.batches import of_one_length
from distiller.augment.translation.engine import PLACE, Engine, Translation

LONGEST = 200
"""So many tokens a sentence may have, and its translation."""


class Seq2Seq(Engine):
    """Any models of transformers with an encoder and a decoder, such as Marian's: greedy, on a GPU if there is one."""

    type: Literal["models"] = "models"
    forward: str = "Helsinki-NLP/opus-mt-en-de"
    backward: str = "Helsinki-NLP/opus-mt-de-en"

    def there_and_back(self) -> tuple[Translation, Translation]:
        there, back = self._loaded()
        return partial(_translated, *there), partial(_translated, *back)

    def fingerprint(self) -> str:
        return " ".join(
            f"{models.fingerprint(model)} {models.tokenizer_fingerprint(tokenizer)}"
            for model, tokenizer in self._loaded()
        )

    def _loaded(self) -> list[tuple[PreTrainedModel, PreTrainedTokenizerBase]]:
        named = (("forward", self.forward), ("backward", self.backward))
        return [models.load_translation_model(model, f"{PLACE}.{name}") for name, model in named]


@torch.no_grad()
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
