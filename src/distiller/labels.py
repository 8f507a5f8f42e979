"""What labels are: what data read and tasks turn into targets."""

from typing import Literal

LabelKind = Literal["classes", "numbers", "sets", "tags"]
"""The name of a class, a number, names of any number of classes, or the name of a class for each word."""
