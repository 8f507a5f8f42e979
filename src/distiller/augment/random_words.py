"""Words changed by chance alone."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from distiller.augment.chance import how_many, the_first
from distiller.augment.draws import Draws
from distiller.augment.step import Augmenter, Step
from distiller.augment.words import Words, capitalised


class RandomWords(Step):
    """Words are swapped with their neighbours, deleted one by one, cropped in one run, or substituted.

    The actions are those of nlpaug's RandomWordAug; Wei and Zou 2019 ("EDA") have the first two. No text loses its
    last word. `words` are what `substitute` puts there.
    """

    type: Literal["random"] = "random"
    action: Literal["swap", "delete", "crop", "substitute"] = "swap"
    words: Annotated[list[str], Field(min_length=1, default_factory=lambda: ["_"])]

    def build(self) -> Augmenter:
        return self._augmented

    def _augmented(self, texts: Sequence[str], seed: int) -> list[str]:
        words, draws = Words(texts), Draws(texts, seed)
        if self.action == "swap":
            chosen = self._first_of_pairs(words, draws)
            for word, begins in zip(chosen.tolist(), (words.number_in_text[chosen] == 0).tolist(), strict=True):
                _swap_with_next(words, word, begins=begins)
        elif self.action == "substitute":
            self._substitute(words, draws)
        else:
            words.remove((self._scattered if self.action == "delete" else self._run)(words, draws))
        return words.joined()

    def _first_of_pairs(self, words: Words, draws: Draws) -> NDArray[np.int64]:
        """Pairs of neighbours that share no word, counted from the first word of a text or from the second."""
        offset = np.where((draws.per_text(0) < 0.5) & (words.counts > 2), 1, 0)
        pairs = (words.counts - offset) // 2
        number = words.number_in_text - offset[words.text_of]
        begins_one = (number >= 0) & (number % 2 == 0) & (number // 2 < pairs[words.text_of])
        rank = np.where(begins_one, draws.per_item(words.counts, 1), 1.0)
        wanted = np.minimum(how_many(self.p / 2, words.counts, draws.per_text(2)), pairs)  # each pair touches two
        return the_first(words.counts, wanted, rank)

    def _scattered(self, words: Words, draws: Draws) -> NDArray[np.int64]:
        wanted = np.minimum(how_many(self.p, words.counts, draws.per_text(0)), words.counts - 1)
        return the_first(words.counts, wanted, draws.per_item(words.counts, 1))

    def _run(self, words: Words, draws: Draws) -> NDArray[np.int64]:
        length = np.minimum(how_many(self.p, words.counts, draws.per_text(0)), words.counts - 1)
        start = (draws.per_text(1) * (words.counts - length + 1)).astype(np.int64)
        after: NDArray[np.int64] = words.number_in_text - start[words.text_of]
        return np.flatnonzero((after >= 0) & (after < length[words.text_of]))

    def _substitute(self, words: Words, draws: Draws) -> None:
        wanted = how_many(self.p, words.counts, draws.per_text(0))
        touched = the_first(words.counts, wanted, draws.per_item(words.counts, 1))
        which = (draws.per_item(words.counts, 2)[touched] * len(self.words)).astype(np.int64)
        words.replace(touched, [self.words[place] for place in which.tolist()])


def _swap_with_next(words: Words, word: int, *, begins: bool) -> None:
    """A capital that only the beginning of the text asked for stays at the beginning."""
    first, second = words[word], words[word + 1]
    if begins and first[0].isupper() and first[1:].islower() and second.islower():
        first, second = first.lower(), capitalised(second)
    words.put(word, second)
    words.put(word + 1, first)
