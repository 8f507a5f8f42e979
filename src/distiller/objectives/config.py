"""The `objective` part of a pipeline."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from distiller.errors import UserError
from distiller.objectives.intermediate import Intermediate
from distiller.objectives.prediction import KL, Prediction
from distiller.schema import Config


class HardLabel(Config):
    """The task's own loss on the labelled texts."""

    weight: Annotated[float, Field(ge=0)] = 0.0


class ObjectiveConfig(Config):
    """What the student is taught by; each term has a weight, and a term that is null or of weight 0 is not computed.

    `balance: ema` divides each term by a running mean of its own size, so that weights compare across terms.
    """

    prediction: Prediction | None = KL()
    hard_label: HardLabel = HardLabel()
    intermediate: Intermediate | None = None
    balance: Literal["none", "ema"] = "none"

    @property
    def on_predictions(self) -> Prediction | None:
        """The loss on predictions, if it is computed."""
        return self.prediction if self.prediction is not None and self.prediction.weight > 0 else None

    @property
    def between_layers(self) -> Intermediate | None:
        """The loss between layers, if it is computed."""
        return self.intermediate if self.intermediate is not None and self.intermediate.weight > 0 else None

    @model_validator(mode="after")
    def _something_to_learn(self) -> "ObjectiveConfig":
        if self.on_predictions is None and self.between_layers is None and self.hard_label.weight == 0:
            raise ValueError("no term has a positive weight; give prediction, hard_label or intermediate one")
        return self


def check_compatible(
    config: ObjectiveConfig,
    *,
    outputs: int | None,
    exclusive_classes: bool,
    same_tokenizer: bool,
    numbers: bool = False,
) -> None:
    """Refuse an objective that cannot teach this student.

    Args:
        config: The objective.
        outputs: Logits per prediction; 1 in regression, None if that depends on the text.
        exclusive_classes: Whether a text has one class, so that softmax makes probabilities of logits.
        same_tokenizer: Whether teacher and student split texts alike.
        numbers: Whether the outputs are what is to be predicted itself.

    Raises:
        UserError: With the reason and what to use in its place.
    """
    prediction, intermediate = config.on_predictions, config.between_layers
    if prediction is not None and prediction.compares_distributions and outputs == 1:
        mend = f"{prediction.type} compares distributions, and one output has none: softmax of it is always 1; use mse"
        raise UserError("objective.prediction", mend)
    if prediction is not None and prediction.type == "bce" and numbers:
        raise UserError("objective.prediction", "bce compares probabilities, and regression has numbers; use mse")
    if prediction is not None and prediction.compares_distributions and not exclusive_classes:
        mend = f"{prediction.type} compares distributions over classes, and a text may have several; use bce or mse"
        raise UserError("objective.prediction", mend)
    if intermediate is not None and not same_tokenizer and intermediate.reads != "hidden_states":
        reason = "teacher and student have different tokenizers, so their positions do not correspond"
        mend = f"{intermediate.type} compares attention, but {reason}; use mse or mi, which compare words"
        raise UserError("objective.intermediate", mend)
