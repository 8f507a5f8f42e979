"""What labels are: what data read and tasks turn into targets."""

from typing import Literal, NamedTuple

LabelKind = Literal["classes", "numbers", "sets", "tags", "answers"]
"""The name of a class, a number, names of any number of classes, the name of a class for each word, or answers."""


class Answer(NamedTuple):
    """A part of a text that answers a question about it."""

    start: int
    text: str
