"""What is to be predicted: one file per task, with its head, its labels as tensors, its tokens and its metrics."""

from typing import Literal

from distiller.tasks import passages
from distiller.tasks.classification import Classification
from distiller.tasks.multi_label import MultiLabel
from distiller.tasks.passages import Passages, Room
from distiller.tasks.question_answering import NEVER, Found, QuestionAnswering, answers, chosen
from distiller.tasks.regression import Regression
from distiller.tasks.tags import entities
from distiller.tasks.task import Predictions, Task
from distiller.tasks.token_classification import TokenClassification, guessed_tags
from distiller.tasks.tokens import DIGEST_BYTES, Segmentation, Tokens, joined, tokenize

TaskName = Literal[
    "classification", "regression", "multi-label-classification", "token-classification", "question-answering"
]
TASKS: dict[str, type[Task]] = {
    task.name: task for task in (Classification, Regression, MultiLabel, TokenClassification, QuestionAnswering)
}

__all__ = [
    "DIGEST_BYTES",
    "NEVER",
    "TASKS",
    "Found",
    "Passages",
    "Predictions",
    "Room",
    "Segmentation",
    "Task",
    "TaskName",
    "Tokens",
    "answers",
    "build",
    "chosen",
    "entities",
    "guessed_tags",
    "joined",
    "passages",
    "tokenize",
]


def build(name: TaskName) -> Task:
    """The task of that name."""
    return TASKS[name]()
