"""What the losses between layers share."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from distiller.models import Kind, seeded
from distiller.models.pooling import TextFeature
from distiller.objectives.views import Feature
from distiller.schema import Config

Level = Literal["token", "sequence"]


class HiddenLoss(nn.Module):
    """A loss between layers, called as (student_states, teacher_states, mask=None); in float32 even under autocast."""

    def __call__(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        with torch.autocast(student_states.device.type, enabled=False):
            value: Tensor = super().__call__(student_states, teacher_states, mask)
        return value

    @abstractmethod
    def forward(self, student_states: Tensor, teacher_states: Tensor, mask: Tensor | None = None) -> Tensor:
        """The mean over what counts, a scalar.

        Args:
            student_states: [batch, length, width]; of a loss on attention, what its docstring says.
            teacher_states: Of the same shape (a sequence-level loss: of the same batch; one that takes any width: of
                any); no gradient flows to it.
            mask: [batch, length], nonzero where a position is no padding; None if all count.

        Raises:
            ValueError: If the shapes do not fit.
        """


class LearnedHiddenLoss(HiddenLoss):
    """A loss with weights of its own, which are trained along with the student and are no part of it.

    They are drawn at the first call, when the widths are known, or before it by `draw`: an optimizer has to be made
    after that.
    """

    def __init__(self, learning_rate_factor: float) -> None:
        super().__init__()
        self.learning_rate_factor = learning_rate_factor
        self._drawn = False

    @abstractmethod
    def add_weights(self, student_width: int, teacher_width: int) -> None:
        """Make the modules that hold the weights."""

    def draw(self, student_width: int, teacher_width: int, seed: int) -> None:
        """Draw the weights, for states of these widths, from `seed`."""
        with torch.inference_mode(mode=False), seeded(seed):
            self.add_weights(student_width, teacher_width)
        self._drawn = True

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """As of every module; before the weights are drawn this is an error, and not an empty list for an optimizer.

        Raises:
            RuntimeError: If they are not drawn yet.
        """
        if not self._drawn:
            mend = "call it once, or draw(student_width, teacher_width, seed), before you ask for its parameters"
            raise RuntimeError(f"the weights of {type(self).__name__} are not drawn yet: {mend}")
        return super().named_parameters(*args, **kwargs)

    def ensure_drawn(self, student_states: Tensor, teacher_states: Tensor) -> None:
        """Draw the weights for these states if that is still to do."""
        if self._drawn:
            return
        self.draw(student_states.shape[-1], teacher_states.shape[-1], seed=0)
        self.to(student_states.device, torch.promote_types(student_states.dtype, torch.float32))


class HiddenLossConfig(Config):
    """Base of their configs.

    Attributes:
        reads: What of a layer is compared.
        takes_any_width: Whether the widths of the two may differ; where not, the student's is projected.
        may_be_negative: Whether the loss may fall below 0: as the cost of a layer pair it is then softplus(loss).
    """

    reads: ClassVar[Kind] = "hidden_states"
    takes_any_width: ClassVar[bool] = False
    may_be_negative: ClassVar[bool] = False

    type: str
    weight: Annotated[float, Field(ge=0)] = 1.0

    @property
    @abstractmethod
    def level(self) -> Level:
        """`token`: compares position by position, so that tokens have to correspond."""

    def check_texts(self, count: int) -> None:
        """Refuse options that do not fit so many training texts.

        Raises:
            UserError: Naming the option.
        """

    @property
    def pools(self) -> TextFeature | None:
        """What vector of a text is compared, if only that: each model's own, whatever tokens it reads."""
        return None

    @property
    def further(self) -> int:
        """Of how many other texts the teacher's vectors are wanted for each batch."""
        return 0

    def check_widths(self, student_width: int, teacher_width: int) -> None:
        """Refuse models whose widths the loss cannot take.

        Raises:
            UserError: With the option to change.
        """

    @abstractmethod
    def build(self) -> HiddenLoss:
        """The loss itself, without its weight."""


class ByFeatureConfig(HiddenLossConfig):
    """Base of the configs of losses that take a text by a `feature` of choice, or each of its tokens."""

    feature: Feature

    @property
    def level(self) -> Level:
        return "token" if self.feature == "tokens" else "sequence"

    @property
    def pools(self) -> TextFeature | None:
        return None if self.feature == "tokens" else self.feature


class LearnedHiddenLossConfig(HiddenLossConfig):
    """Base of the configs of losses that learn; their weights learn so many times as fast as the student."""

    learning_rate_factor: Annotated[float, Field(gt=0)] = 10.0

    @abstractmethod
    def build(self) -> LearnedHiddenLoss:
        """The loss itself, without its weight."""
