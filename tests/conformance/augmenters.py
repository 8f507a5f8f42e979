"""What every augmenter has to hold."""

import json
import re
from functools import cache
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from distiller import UserError
from distiller.augment import Augmenter, Step, StepConfig, augment

_STEPS: TypeAdapter[Any] = TypeAdapter(StepConfig)

QUESTIONS = [
    "How did serfdom develop in and then leave Russia ?",
    "What films featured the character Popeye Doyle?",
    "What contemptible scoundrel (a thief, surely) stole the cork from my lunch?",
    "NAME THE SCAR-FACED BOUNTY HUNTER OF THE OLD WEST.",
    "Who wrote it? Nobody knows. The book was found near an old house in the north.",
    "the little dog runs quickly after a large ball",
    "What is the most beautiful village that you have ever seen in this country?",
]
ODD = [
    "",
    " ",
    "\n",
    "word",
    "Why?",
    "😀 👨\u200d👩\u200d👧 🇵🇹",
    "a\x00b \x07 c\x1b[0m d",
    "one\ttwo\r\nthree\u2028four\u00a0five  six ",
    "Ελληνικά κείμενα, русский текст и 中文 हिन्दी",
    "e\u0301te\u0301 cafe\u0301",
    "half \ud83d of a character",
    "... !!! ???",
    "[MASK] <mask> </s> [SEP] {x} ^y$ \\z",
]
PROTECTED = [
    "http://example.org/a/b?c=d#e",
    "www.example.org",
    "someone@example.org",
    "10.0.0.1",
    "fe80::1",
    "v2.0.1",
    "1.2.3-rc1",
    "$5.00",
    "1,000",
    "2nd",
    "/usr/bin/env",
    "#topic",
    "@somebody",
    "x=1",
    "snake_case",
    "C++",
    "12:30",
    "50%",
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(["The", "dog", "NASA", "runs,", "(quickly)", "don't", "a", "10", "😀"]), max_size=12).map(
        " ".join
    ),
    st.sampled_from(QUESTIONS),
)


@cache
def _built(options: str) -> Augmenter:
    step: Step = _STEPS.validate_json(options)
    return step.build()


class AugmenterConformance:
    """Inherit and set `options`: a step that changes most texts."""

    options: ClassVar[dict[str, Any]]

    def changed(self, texts: list[str], seed: int = 0, **options: Any) -> list[str]:
        return _built(json.dumps({**self.options, **options}))(texts, seed)

    @given(st.lists(TEXTS, max_size=5), st.integers(0, 2**63 - 1))
    def test_each_text_has_one_in_its_place_that_is_not_empty(self, texts: list[str], seed: int) -> None:
        changed = self.changed(texts, seed)
        assert len(changed) == len(texts)
        assert all(bool(after.strip()) == bool(before.strip()) for before, after in zip(texts, changed, strict=True))

    def test_odd_texts_come_through(self) -> None:
        changed = self.changed(ODD)
        assert len(changed) == len(ODD)
        assert all(bool(after.strip()) == bool(before.strip()) for before, after in zip(ODD, changed, strict=True))

    def test_a_text_of_ten_thousand_words_comes_through(self) -> None:
        text = " ".join(QUESTIONS) + " "
        text *= 10_000 // len(text.split()) + 1
        [changed] = self.changed([text])
        assert changed != text
        assert 0.5 < len(changed) / len(text) < 2

    def test_what_becomes_of_a_text_depends_on_no_other(self) -> None:
        texts = [*QUESTIONS, *ODD]
        together = self.changed(texts, 5)
        assert [self.changed([text], 5)[0] for text in texts] == together
        assert self.changed(texts[::-1], 5)[::-1] == together
        assert self.changed(texts * 3, 5) == together * 3

    def test_most_texts_are_changed(self) -> None:
        changed = self.changed(QUESTIONS, 3)
        assert sum(before != after for before, after in zip(QUESTIONS, changed, strict=True)) > len(QUESTIONS) / 2

    def test_with_p_of_0_nothing_is_touched(self) -> None:
        assert self.changed([*QUESTIONS, *ODD], p=0.0) == [*QUESTIONS, *ODD]

    @pytest.mark.parametrize("piece", PROTECTED)
    def test_numbers_addresses_and_versions_stay_as_they_are(self, piece: str) -> None:
        texts = [f"The old dog runs to {piece} and then the dog sleeps", f"{piece} is an old house", f"See ({piece})."]
        for seed in range(3):
            for text in self.changed(texts, seed, p=1.0):
                assert piece in text, text

    def test_lines_stay_lines(self) -> None:
        [changed] = self.changed(["The dog runs.\n\nThe cat sleeps\tnow"], p=1.0)
        assert re.findall(r"[\n\t]", changed) == ["\n", "\n", "\t"]

    @pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
    def test_p_is_a_fraction(self, p: float) -> None:
        with pytest.raises(UserError, match=r"steps\.0\.p"):
            augment(["text"], [{**self.options, "p": p}], 0)

    def test_the_config_survives_a_round_trip_and_refuses_what_it_does_not_know(self) -> None:
        config = _STEPS.validate_python(self.options)
        assert _STEPS.validate_python(config.model_dump()) == config
        with pytest.raises(UserError, match="unknown field 'typo'"):
            augment(["text"], [{**self.options, "typo": 1}], 0)


class ChanceConformance(AugmenterConformance):
    """An augmenter that draws what it does."""

    def test_another_seed_gives_other_texts_and_the_same_gives_the_same(self) -> None:
        first = self.changed(QUESTIONS, 0)
        assert self.changed(QUESTIONS, 0) == first
        assert any(self.changed(QUESTIONS, seed) != first for seed in range(1, 4))
