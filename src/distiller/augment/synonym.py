"""Words in the place of others that WordNet has beside them, in the same form."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field

from distiller import assets
from distiller.augment.chance import how_many
from distiller.augment.draws import Draws
from distiller.augment.parts_of_speech import Tagger
from distiller.augment.step import Augmenter, Step
from distiller.augment.wordnet import Part, WordNet
from distiller.augment.words import Words
from distiller.errors import UserError

_PARTS: dict[str, Part] = {"NOUN": "noun", "VERB": "verb", "ADJ": "adj", "ADV": "adv"}
_FORMS = {
    "NOUN|-": ("NN", "NNS"),
    "VERB|Fin": ("VBD", "VBZ", "VBP"),
    "VERB|Inf": ("VB",),
    "VERB|Part": ("VBN", "VBG"),
    "VERB|Ger": ("VBG",),
    "ADJ|-": ("JJ", "JJR", "JJS"),
    "ADV|-": ("RB", "RBR", "RBS"),
}
"""By what the tagger says, the tags of the Penn Treebank that a form may have."""
_KEPT = {"not", "never", "no", "n't", "hardly", "barely", "scarcely", "only", "too"}
"""Adverbs that turn what a sentence says."""


class Synonym(Step):
    """English nouns, verbs, adjectives and adverbs give way to synonyms in the sense that is most often meant.

    Zhang et al. 2015. The synonym is itself most often meant so, is one word, and comes in the number, tense or degree
    of the word whose place it takes.
    """

    type: Literal["synonym"] = "synonym"
    p: Annotated[float, Field(ge=0, le=1)] = 0.3

    def build(self) -> Augmenter:
        thesaurus = _Thesaurus()

        def augmented(texts: Sequence[str], seed: int) -> list[str]:
            words, draws = Words(texts), Draws(texts, seed)
            labels = [label for of_text in thesaurus.labels(words) for label in of_text]
            left = how_many(self.p, words.counts, draws.per_text(2)).tolist()
            which = draws.per_item(words.counts, 1).tolist()
            text_of = words.text_of.tolist()
            for word in draws.per_item(words.counts, 0).argsort().tolist():
                others = thesaurus.synonyms(words[word].lower(), labels[word]) if left[text_of[word]] > 0 else []
                if others:
                    words.replace([word], [others[int(which[word] * len(others))]])
                    left[text_of[word]] -= 1
            return words.joined()

        return augmented


class _Thesaurus:
    def __init__(self) -> None:
        try:
            import lemminflect
        except ImportError as error:
            mend = "lemminflect is not installed; pip install 'distiller[augmentation]'"
            raise UserError("synonym", mend) from error
        self._forms: Callable[..., tuple[str, ...]] = lemminflect.getInflection
        self._lemmas: Callable[..., tuple[str, ...]] = lemminflect.getLemma
        self._wordnet = WordNet(assets.fetch("wordnet", "lexicon"))
        self._tagger = Tagger(assets.fetch("english-tagger", "lexicon") / "tagger.json.gz")
        self.synonyms = lru_cache(maxsize=2**16)(self._synonyms)

    def labels(self, words: Words) -> list[list[str]]:
        """Of each text those of its words."""
        flat = [words[word] for word in range(len(words))]
        ends = words.counts.cumsum().tolist()
        return self._tagger.tags([flat[end - count : end] for end, count in zip(ends, words.counts, strict=True)])

    def _synonyms(self, word: str, label: str) -> list[str]:
        """What may stand for a word of that label; none if it is not in one of its forms, or has no synonym."""
        part = label.partition("|")[0]
        if part not in _PARTS or word in _KEPT:
            return []
        for lemma in self._lemmas(word, part, lemmatize_oov=False):
            for tag in _FORMS.get(label, ()):
                if word in self._forms(lemma, tag, inflect_oov=False):
                    return self._in_form(lemma, _PARTS[part], tag, word)
        return []

    def _in_form(self, lemma: str, part: Part, tag: str, word: str) -> list[str]:
        senses = self._wordnet.senses(lemma, part)
        found = []
        for other in senses[0] if senses else ():
            mutual = self._wordnet.senses(other, part)
            if not other.isalpha() or not other.islower() or lemma not in mutual[0]:
                continue
            forms = self._forms(other, tag, inflect_oov=False)
            if forms and forms[0] != word:
                found.append(forms[0])
        return found
