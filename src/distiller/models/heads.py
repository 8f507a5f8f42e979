"""What a model says by its head, and the classes of transformers that have it."""

from typing import Any, Literal

from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

HeadKind = Literal["sequence", "token"]
"""One row of logits a text, or one a token."""

AUTO: dict[HeadKind, Any] = {
    "sequence": AutoModelForSequenceClassification,
    "token": AutoModelForTokenClassification,
}
