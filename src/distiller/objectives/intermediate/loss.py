"""What the losses on hidden states share."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from distiller.schema import Config

Level = Literal["token", "sequence"]


class HiddenLoss(nn.Module):
    """A loss between hidden states, called as (student_states, teacher_states, mask=None)."""

    @abstractmethod
    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        """The mean over what counts, a scalar.

        Args:
            student_states: [batch, length, width].
            teacher_states: Of the same shape (a sequence-level loss: of the same batch and width); no gradient flows
                to it.
            mask: [batch, length], nonzero where a position is no padding; None if all count.

        Raises:
            ValueError: If the shapes do not fit.
        """


class HiddenLossConfig(Config):
    """Base of their configs. `level: token` compares position by position, so tokens have to correspond."""

    level: ClassVar[Level]

    weight: Annotated[float, Field(ge=0)] = 1.0

    @abstractmethod
    def build(self) -> HiddenLoss:
        """The loss itself, without its weight."""
