"""Sentences translated into another language and back (Sennrich et al. 2016; Yu et al. 2018)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import regex
from pydantic import BeforeValidator, Field

from distiller.augment.chance import how_many, the_first
from distiller.augment.draws import Draws
from distiller.augment.step import Augmenter, Step
from distiller.augment.translation import Apertium, FastTranslate, Seq2Seq
from distiller.augment.words import capitalised, cut, is_word

_SENTENCE_END = regex.compile(r"""((?<=[.!?…]["'\p{Pe}\p{Pf}]*)\s+(?=["'\p{Ps}\p{Pi}]*[\p{Lu}\p{N}¿¡])|\s*[\r\n]\s*)""")
_LONGEST = 400
"""So many characters are translated at once at most: engines cut what is longer, or lose their way in it."""


def _named(engine: object) -> object:
    """The name of an engine stands for that engine as it comes."""
    return {"type": engine} if isinstance(engine, str) else engine


class BackTranslation(Step):
    """`p` is the fraction of the sentences of a text that are translated, and of at least one.

    A sentence stays as it was if a number, address or other piece that is no plain word did not come back from it.
    What comes back is always the same: other copies differ where `p` leaves some sentences, or by other steps.
    """

    kept: ClassVar[bool] = True

    type: Literal["back_translation"] = "back_translation"
    p: Annotated[float, Field(ge=0, le=1)] = 1.0
    engine: Annotated[
        Annotated[FastTranslate | Apertium | Seq2Seq, Field(discriminator="type")], BeforeValidator(_named)
    ] = FastTranslate()

    def build(self) -> Augmenter:
        there, back = self.engine.there_and_back()

        def augmented(texts: Sequence[str], seed: int) -> list[str]:
            parts = [_parts(text) for text in texts]
            chosen = self._chosen(texts, parts, seed)
            sentences = [*dict.fromkeys(parts[text][place] for text, place in chosen)]
            returned = dict(zip(sentences, back(there(sentences)) if sentences else [], strict=True))
            for text, place in chosen:
                parts[text][place] = _settled(parts[text][place], returned[parts[text][place]])
            return ["".join(of_one) for of_one in parts]

        return augmented

    def fingerprint(self) -> str:
        return self.engine.fingerprint()

    def _chosen(self, texts: Sequence[str], parts: Sequence[Sequence[str]], seed: int) -> list[tuple[int, int]]:
        """Which sentences are translated: the number of the text, and the place among its parts."""
        places = [
            (text, place)
            for text, of_one in enumerate(parts)
            for place, part in enumerate(of_one)
            if part.isprintable() and any(map(str.isalpha, part))
        ]
        counts = np.bincount([text for text, _ in places], minlength=len(texts)).astype(np.int64)
        draws = Draws(texts, seed)
        wanted = how_many(self.p, counts, draws.per_text(0))
        return [places[number] for number in the_first(counts, wanted, draws.per_item(counts, 1)).tolist()]


def _parts(text: str) -> list[str]:
    """Sentences, and what stands between them; together they are the text."""
    return [part for sentence in _SENTENCE_END.split(text) for part in cut(sentence, _LONGEST)]


def _settled(sentence: str, returned: str) -> str:
    """What came back, with the case and the white space of what was sent; that itself if something of it was lost."""
    core = " ".join(returned.split())
    pieces = [piece.lstrip("\"'([{").rstrip("\"')]}.,;:!?…") for piece in sentence.split() if not is_word(piece)]
    lost = any(piece not in core for piece in pieces if any(map(str.isalnum, piece)))
    if lost or not any(map(str.isalpha, core)):
        return sentence
    start = len(sentence) - len(sentence.lstrip())
    end = len(sentence.rstrip())
    return sentence[:start] + _in_case_of(sentence[start:end], core) + sentence[end:]


def _in_case_of(sentence: str, other: str) -> str:
    if sentence.isupper():
        return other.upper()
    if sentence.islower():
        return other.lower()
    return capitalised(other) if sentence[0].isupper() else other
