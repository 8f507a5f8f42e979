"""What is to be predicted: one file per task, with its head, its labels as tensors, its tokens and its metrics."""

from typing import Literal

from distiller.tasks.classification import Classification
from distiller.tasks.regression import Regression
from distiller.tasks.sequence import Predictions, SequenceTask
from distiller.tasks.tokens import DIGEST_BYTES, Tokens, joined, tokenize

TaskName = Literal["classification", "regression"]

__all__ = ["DIGEST_BYTES", "Predictions", "SequenceTask", "TaskName", "Tokens", "build", "joined", "tokenize"]


def build(name: TaskName) -> SequenceTask:
    """The task of that name."""
    return {"classification": Classification, "regression": Regression}[name]()
