"""What a model says by its head, and the classes of transformers that have it."""

from typing import Any, Literal

from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

HeadKind = Literal["sequence", "token", "span"]
"""One row of logits a text, one a token, or of each token whether an answer begins there, and whether it ends."""

AUTO: dict[HeadKind, Any] = {
    "sequence": AutoModelForSequenceClassification,
    "token": AutoModelForTokenClassification,
    "span": AutoModelForQuestionAnswering,
}
NAMES: dict[HeadKind, str] = {
    "sequence": "sequence-classification",
    "token": "token-classification",
    "span": "question-answering",
}
"""What they are called in messages."""
