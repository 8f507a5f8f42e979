"""The one exception for what a user can mend."""

from difflib import get_close_matches


class UserError(Exception):
    """The user's input is wrong. The command line prints it as one line and exits with code 2.

    Args:
        place: The file, field or row that is wrong.
        mend: What is wrong there and what to do about it.
    """

    def __init__(self, place: str, mend: str) -> None:
        self.place = place
        self.mend = mend
        super().__init__(" ".join(f"{place}: {mend}".split()))


def unknown(noun: str, word: object, known: list[str]) -> str:
    """What to say of a word that is not known: the nearest known one, then all of them."""
    hint, listed = did_you_mean(str(word), known), f"known: {', '.join(known)}"
    return f"unknown {noun} {str(word)!r}" + (f"{hint} ({listed})" if hint else f"; {listed}")


def did_you_mean(word: str, known: list[str]) -> str:
    """What to add to a sentence: the nearest known word; nothing if none is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
