from pathlib import Path

import pytest

from distiller import assets
from distiller.augment.wordnet import WordNet


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    return WordNet(assets.fetch("wordnet", "lexicon"))


def test_senses_are_those_that_wordnet_prints(wordnet: WordNet) -> None:
    """As `wn film -synsn`, `wn quick -synsr` and so on of WordNet 3.1 list them."""
    assert wordnet.senses("film", "noun")[0][:3] == ("movie", "picture", "moving_picture")
    assert wordnet.senses("film", "noun")[1] == ("cinema", "celluloid")
    assert wordnet.senses("physician", "noun")[0] == ("doctor", "doc", "MD", "Dr.", "medico")
    assert wordnet.senses("quickly", "adv")[0][:2] == ("rapidly", "speedily")
    assert wordnet.senses("begin", "verb")[0] == (
        "get_down",
        "get",
        "start_out",
        "start",
        "set_about",
        "set_out",
        "commence",
    )


def test_a_position_of_an_adjective_is_no_part_of_its_name(wordnet: WordNet) -> None:
    names = {name for sense in wordnet.senses("asleep", "adj") for name in sense}
    assert not [name for name in names if "(" in name]


@pytest.mark.parametrize("word", ["zzzz", "", "aaaaaa", "zzzzzzzzz", "the"])
def test_what_it_does_not_know_has_no_senses(wordnet: WordNet, word: str) -> None:
    assert wordnet.senses(word, "noun") == ()


def test_the_first_and_the_last_entry_of_each_file_are_found(wordnet: WordNet) -> None:
    folder: Path = assets.fetch("wordnet", "lexicon")
    for part in ("noun", "verb", "adj", "adv"):
        lines = [line for line in (folder / f"index.{part}").read_text().splitlines() if not line.startswith(" ")]
        for line in (lines[0], lines[-1], lines[len(lines) // 3]):
            fields = line.split()
            assert len(wordnet.senses(fields[0], part)) == int(fields[2])
