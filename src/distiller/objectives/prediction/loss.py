"""What the losses on logits share."""

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from distiller.schema import Config


class PredictionLoss(nn.Module):
    """A loss between logits, called as (student_logits, teacher_logits, mask=None)."""

    @abstractmethod
    def forward(self, student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """The mean over the rows that count, a scalar.

        Args:
            student_logits: [batch, classes] or [batch, length, classes].
            teacher_logits: Of the same shape; no gradient flows to it.
            mask: [batch] or [batch, length], nonzero where a row counts; None if all do.

        Raises:
            ValueError: If the shapes differ, or the mask does not fit them.
        """


class PredictionLossConfig(Config):
    """Base of their configs. `compares_distributions` says that a single output gives the loss nothing to compare."""

    compares_distributions: ClassVar[bool]

    weight: Annotated[float, Field(ge=0)] = 1.0
    temperature: Annotated[float, Field(gt=0)] = 1.0

    @abstractmethod
    def build(self) -> PredictionLoss:
        """The loss itself, without its weight."""


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p ‖ q) in nats, [...], of log-probabilities [..., classes]; never the logarithm of 0."""
    return functional.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)
