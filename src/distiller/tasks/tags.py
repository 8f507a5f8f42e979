"""Entities in a text, of the tags of its words: `B-` begins one, `I-` goes on with it, `O` is outside."""

from collections.abc import Sequence

from distiller.words import OUTSIDE


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """(type, first word, last word) of each entity, in order.

    An entity also begins with an `I-` that follows none of its type, as the scorer of CoNLL-2000 (and seqeval) has it.

    Args:
        tags: One a word. What is neither `O` nor begins with `B-` or `I-`, such as a part of speech, is one by itself.
    """
    found: list[tuple[str, int, int]] = []
    for word, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        kind = tag[2:] if tag.startswith(("B-", "I-")) else tag
        goes_on = tag.startswith("I-") and bool(found) and found[-1][0] == kind and found[-1][2] == word - 1
        found[-1:] = [(kind, found[-1][1], word)] if goes_on else [*found[-1:], (kind, word, word)]
    return found
