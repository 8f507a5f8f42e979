import pytest
from scipy.spatial.distance import hamming

from conformance.augmenters import QUESTIONS, ChanceConformance
from distiller.augment import augment

KEYBOARD = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]


class TestKeyboard(ChanceConformance):
    options = {"type": "spelling", "p": 0.3}


class TestScanner(ChanceConformance):
    options = {"type": "spelling", "source": "ocr", "p": 0.3}


def _distance(one: str, other: str) -> int:
    """Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours (Boytsov 2011)."""
    table = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            )
            if i > 1 and j > 1 and (one[i - 1], one[i - 2]) == (other[j - 2], other[j - 1]):
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


def test_each_touched_word_has_one_error_behind_its_first_letter() -> None:
    for seed in range(30):
        for before, after in zip(QUESTIONS, augment(QUESTIONS, [{"type": "spelling", "p": 0.5}], seed), strict=True):
            for word, changed in zip(before.split(), after.split(), strict=True):
                assert _distance(word, changed) <= 1
                assert word.strip("(")[:1] == changed.strip("(")[:1]
                assert word == changed or len(word.strip("(?,.)")) >= 3


def test_a_substituted_letter_is_a_neighbour_on_the_keyboard() -> None:
    places = {key: (row, column + row / 2) for row, line in enumerate(KEYBOARD) for column, key in enumerate(line)}
    found = set()
    for seed in range(300):
        [changed] = augment(["gardening"], [{"type": "spelling"}], seed)
        if len(changed) == len("gardening") and hamming([*changed], [*"gardening"]) == pytest.approx(1 / 9):
            found |= {(one, other) for one, other in zip("gardening", changed, strict=True) if one != other}
    assert len(found) > 10
    for one, other in found:
        (row, column), (other_row, other_column) = places[one], places[other]
        assert abs(row - other_row) <= 1
        assert abs(column - other_column) <= 1


def test_a_scanner_takes_letters_for_those_that_look_like_them() -> None:
    found = {augment(["modern"], [{"type": "spelling", "source": "ocr"}], seed)[0] for seed in range(100)}
    assert {"rnodern", "m0dern", "moclern", "modem"} <= found
