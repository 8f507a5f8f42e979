"""Tags of words, checked, and in one scheme: `B-` begins an entity, `I-` goes on with it (IOB2)."""

from collections.abc import Sequence
from typing import Any

from distiller.data.rows import Rows, is_broken
from distiller.errors import UserError
from distiller.words import OUTSIDE

BEGINS, GOES_ON = "B-", "I-"
OTHER_SCHEMES = {"S-": BEGINS, "U-": BEGINS, "E-": GOES_ON, "L-": GOES_ON}
"""Of an entity of one word, and of the last word of one (IOBES, BILOU)."""


def words_of(rows: Rows, column: str) -> list[str]:
    """Texts whose words have single spaces between, of cells that hold a list of words or such a text.

    Raises:
        UserError: Naming the row, for a cell that holds no words, or a word that is empty or has a space in it.
    """
    cells = rows.cells(column, "data.text")
    words = [cell.split(" ") if isinstance(cell, str) else cell for cell in cells]
    for position, of_one in enumerate(words):
        if not isinstance(of_one, list) or not of_one:
            mend = (
                f"column {column!r} holds no words ({rows.where([position])}): give a list of words, or a text of them"
            )
            raise UserError(rows.place, mend)
        for number, word in enumerate(of_one, start=1):
            if not _is_word(word):
                problem = f"holds {word!r}, which is no word ({rows.where([position])}, word {number})"
                raise UserError(rows.place, f"column {column!r} {problem}: write it without spaces, or remove it")
    return [" ".join(of_one) for of_one in words]


def tags_of(rows: Rows, column: str, texts: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The tag of each word of each text, in IOB2, whichever scheme they are written in.

    Raises:
        UserError: Naming row and word, for a text that has not as many tags as words, a tag that is empty, or an `I-`
            that begins an entity where others begin with `B-`.
    """
    cells = [cell.split(" ") if isinstance(cell, str) else cell for cell in rows.cells(column, "data.label")]
    for position, (tags, (text,)) in enumerate(zip(cells, texts, strict=True)):
        _check(rows, column, position, tags, text.count(" ") + 1)
    named = [[_in_two_prefixes(tag) for tag in tags] for tags in cells]
    begun = [(row, word) for row, tags in enumerate(named) for word in _begun_with(GOES_ON, tags)]
    if begun and any(_begun_with(BEGINS, tags) for tags in named):
        row, word = begun[0]
        problem = f"holds {cells[row][word]!r} where an entity begins ({rows.where([row])}, word {word + 1})"
        mend = f"write {BEGINS}{named[row][word][2:]} there, as elsewhere in it"
        raise UserError(rows.place, f"column {column!r} {problem}: {mend}")
    for row, word in begun:
        named[row][word] = BEGINS + named[row][word][2:]
    return [tuple(tags) for tags in named]


def all_tags(seen: set[str]) -> set[str]:
    """With each type both of its tags, and `O`: a text may have an entity of two words where none was seen yet."""
    types = {tag[2:] for tag in seen if tag.startswith((BEGINS, GOES_ON))}
    return seen | {prefix + kind for kind in types for prefix in (BEGINS, GOES_ON)} | ({OUTSIDE} if types else set())


def _check(rows: Rows, column: str, position: int, tags: Any, words: int) -> None:
    where = rows.where([position])
    if not isinstance(tags, list) or not all(map(_is_word, tags)):
        mend = "give each row a list of names, one for each word"
        raise UserError(rows.place, f"column {column!r} holds no tags ({where}): {mend}")
    if len(tags) != words:
        raise UserError(
            rows.place, f"column {column!r} has {len(tags)} tags for {words} words ({where}): give each word one"
        )


def _is_word(cell: Any) -> bool:
    return isinstance(cell, str) and bool(cell.strip()) and " " not in cell and not is_broken(cell)


def _in_two_prefixes(tag: str) -> str:
    return OTHER_SCHEMES.get(tag[:2], tag[:2]) + tag[2:]


def _begun_with(prefix: str, tags: Sequence[str]) -> list[int]:
    """The words that begin an entity with that prefix and do not follow one of their own type."""
    before = ["", *(tag[2:] if tag.startswith((BEGINS, GOES_ON)) else "" for tag in tags)]
    return [word for word, tag in enumerate(tags) if tag.startswith(prefix) and before[word] != tag[2:]]
