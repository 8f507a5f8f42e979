"""Words that a masked language model expects in the place of others (Kobayashi 2018; Wu et al. 2019)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from distiller import models
from distiller.augment import adaptation
from distiller.augment.batches import of_one_length
from distiller.augment.chance import how_many, the_first
from distiller.augment.draws import Draws
from distiller.augment.step import Augmenter, Step
from distiller.augment.words import Words, capitalised, cut, with_case_of
from distiller.machine import has_bfloat16

PLACE = "contextual.model"
LONGEST = 1000
"""So many characters of a text the model reads at once at most."""
CANDIDATES = 100
"""No more words are drawn from, however many make up `top_p`."""
ALIGNED_MASKS = 16
"""As many rows, or a multiple of it, are multiplied at once: other numbers add up in another order."""
LIKELY = 1e-3
"""Where no other word is as probable as this, the word stays."""


class Contextual(Step):
    """Words give way to others that fit the context, or such are inserted before them.

    All words that are touched are masked at once, and a whole word is drawn for each from the most probable ones that
    make up `top_p`: never the word that stood there, unless nothing else is likely. With `model` null it is
    `distilbert-base-uncased`, or where the hub cannot be reached a small encoder that was taught to say words.
    """

    kept: ClassVar[bool] = True

    type: Literal["contextual"] = "contextual"
    p: Annotated[float, Field(ge=0, le=1)] = 0.3
    action: Literal["substitute", "insert"] = "substitute"
    model: str | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9

    def build(self) -> Augmenter:
        writer = _Writer(*self._loaded())

        def augmented(texts: Sequence[str], seed: int) -> list[str]:
            parts = [cut(text, LONGEST) for text in texts]
            flat = self._changed([part for of_one in parts for part in of_one], seed, writer)
            rest = iter(flat)
            return ["".join(next(rest) for _ in of_one) for of_one in parts]

        return augmented

    def fingerprint(self) -> str:
        model, tokenizer = self._loaded()
        return f"{models.fingerprint(model)} {models.tokenizer_fingerprint(tokenizer)} {_precision()}"

    def _loaded(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        return models.load_masked_language_model(self.model or adaptation.default_model(), PLACE)

    def _changed(self, texts: Sequence[str], seed: int, writer: "_Writer") -> list[str]:
        words, draws = Words(texts), Draws(texts, seed)
        wanted = how_many(self.p, words.counts, draws.per_text(0))
        chosen = the_first(words.counts, wanted, draws.per_item(words.counts, 1))
        before = {word: words[word] for word in chosen.tolist()}
        inserted = self.action == "insert"
        for word, original in before.items():
            words.put(word, f"{writer.mask} {original}" if inserted else writer.mask)
        which = draws.per_item(words.counts, 2)[chosen]
        barred = [""] * len(before) if inserted else [*before.values()]
        written = writer.written(words.joined(), words.text_of[chosen], barred, self.top_p, which)
        for (word, original), other in zip(before.items(), written, strict=True):
            words.put(word, _settled(original, other, inserted=inserted, first=words.number_in_text[word] == 0))
        return words.joined()


def _settled(original: str, other: str | None, *, inserted: bool, first: bool) -> str:
    """What stands in the place of a word now; None as the other leaves it as it was."""
    if other is None:
        return original
    if not inserted:
        return with_case_of(other, original)
    moved = first and original[0].isupper() and original[1:].islower()
    return f"{capitalised(other)} {original.lower()}" if moved else f"{other} {original}"


class _Writer:
    """A masked language model that writes whole words."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
        loaded: Any = model
        self._model = loaded.to(device=device, dtype=getattr(torch, _precision()))
        self._tokenizer: Any = tokenizer
        self._words = models.whole_words(tokenizer)
        self._may_be_written = torch.tensor([word is not None for word in self._words], device=device)
        self.mask = str(tokenizer.mask_token)

    @torch.no_grad()
    def written(
        self,
        texts: Sequence[str],
        text_of: NDArray[np.int64],
        barred: Sequence[str],
        top_p: float,
        draws: NDArray[np.float64],
    ) -> list[str | None]:
        """A word for each mask; None where no other than the barred one is likely.

        Args:
            texts: With masks.
            text_of: [masks], which text each is in, in order.
            barred: By mask, the word that is not to be written.
            top_p: What is drawn from.
            draws: [masks], numbers in [0, 1).
        """
        masks_of: defaultdict[int, list[int]] = defaultdict(list)
        for mask, text in enumerate(text_of.tolist()):
            masks_of[text].append(mask)
        encoded = self._encoded([texts[text] for text in masks_of])
        # A text that holds masks of its own, or was cut, is left as it is: which mask is which cannot be told.
        sound = [
            (masks, tokens)
            for masks, tokens in zip(masks_of.values(), encoded, strict=True)
            if tokens.count(self._tokenizer.mask_token_id) == len(masks)
        ]
        found: list[str | None] = [None] * len(barred)
        for rows, inputs in of_one_length([tokens for _, tokens in sound]):
            masks = [mask for row in rows for mask in sound[row][0]]
            scores = self._scores(inputs, len(rows))
            drawn = self._drawn(scores, [barred[mask] for mask in masks], top_p, draws[masks])
            for mask, word in zip(masks, drawn, strict=True):
                found[mask] = word
        return found

    def _encoded(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        whole = [text.encode(errors="replace").decode() for text in texts]  # no half of a character
        tokens: list[list[int]] = self._tokenizer(whole, truncation=True, max_length=self._longest)["input_ids"]
        return tokens

    def _scores(self, inputs: Tensor, rows: int) -> Tensor:
        """[masks, vocabulary] in float32: of the masks in the first rows of a batch, [batch, length], in order."""
        masks = (inputs[:rows] == self._tokenizer.mask_token_id).nonzero()
        filled = torch.cat([masks, masks[:1].expand(-len(masks) % ALIGNED_MASKS, -1)])

        given = inputs.to(self._model.device)
        batch = {"input_ids": given, "attention_mask": torch.ones_like(given)}
        return models.scores_at(self._model, batch, (filled[:, 0], filled[:, 1]))[: len(masks)].float()

    def _drawn(
        self, scores: Tensor, barred: Sequence[str], top_p: float, draws: NDArray[np.float64]
    ) -> Iterator[str | None]:
        probable = scores.softmax(dim=-1).masked_fill(~self._may_be_written, 0.0).topk(min(CANDIDATES, scores.shape[1]))
        for row, (original, draw) in enumerate(zip(barred, draws.tolist(), strict=True)):
            words = [self._words[token] or "" for token in probable.indices[row].tolist()]
            pairs = zip(words, probable.values[row].tolist(), strict=True)
            others = [(word, value) for word, value in pairs if word.lower() not in ("", original.lower())]
            yield _one_of(others, top_p, draw) if others and others[0][1] >= LIKELY else None

    @cached_property
    def _longest(self) -> int:
        return models.longest_text(self._model.config, self._tokenizer)


def _one_of(words: Sequence[tuple[str, float]], top_p: float, draw: float) -> str:
    """One of the most probable words that together have the share `top_p` of all."""
    sums = np.cumsum([value for _, value in words])
    within = int(np.searchsorted(sums, top_p * sums[-1])) + 1
    place = int(np.searchsorted(sums[:within], draw * sums[within - 1], side="right"))
    return words[min(place, within - 1)][0]


def _precision() -> str:
    return "bfloat16" if has_bfloat16() else "float32"
