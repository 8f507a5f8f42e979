import sys
from typing import ClassVar

import pytest

from conformance.augmenters import ChanceConformance
from distiller import UserError
from distiller.augment import Augmenter, augment
from distiller.augment.synonym import Synonym

ALL = [{"type": "synonym", "p": 1.0}]


@pytest.fixture(scope="module")
def every_word() -> Augmenter:
    return Synonym(p=1.0).build()


class TestSynonym(ChanceConformance):
    options: ClassVar = {"type": "synonym", "p": 0.5}


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("What films did he see?", {"movies"}),
        ("She purchased it", {"bought"}),
        ("He is purchasing it", {"buying"}),
        ("They will purchase it", {"buy"}),
        ("The physicians came", {"doctors", "docs", "medicos"}),
    ],
)
def test_a_synonym_comes_in_the_form_of_the_word(every_word: Augmenter, text: str, possible: set[str]) -> None:
    found = {word for seed in range(20) for word in every_word([text], seed)[0].strip("?").split()}
    assert possible & found


def test_case_is_kept(every_word: Augmenter) -> None:
    for text, expected in (("FILMS ARE LONG", "MOVIES"), ("Films are long", "Movies")):
        assert expected in {every_word([text], seed)[0].split()[0] for seed in range(20)}


@pytest.mark.parametrize("text", ["not never no", "the of and with she", "Popeye Doyle", "Der Hund schläft nicht"])
def test_what_has_no_synonym_stays(every_word: Augmenter, text: str) -> None:
    assert every_word([text], 0) == [text]


def test_without_lemminflect_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lemminflect", None)
    with pytest.raises(UserError, match=r"pip install 'distiller\[augmentation\]'"):
        augment(["text"], ALL, 0)
