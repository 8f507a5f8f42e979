"""What the student is taught by: losses on predictions and on hidden states, and their weighted sum."""

from typing import Any

from pydantic import TypeAdapter

from distiller.objectives.config import HardLabel, ObjectiveConfig, check_compatible
from distiller.objectives.intermediate import HiddenLoss, HiddenLossConfig, Intermediate
from distiller.objectives.objective import MUTUAL_INFORMATION, Layers, Objective
from distiller.objectives.prediction import Prediction, PredictionLoss
from distiller.schema import validated_by

_PREDICTION: TypeAdapter[Prediction] = TypeAdapter(Prediction)
_INTERMEDIATE: TypeAdapter[Intermediate] = TypeAdapter(Intermediate)

__all__ = [
    "MUTUAL_INFORMATION",
    "HardLabel",
    "HiddenLoss",
    "HiddenLossConfig",
    "Layers",
    "Objective",
    "ObjectiveConfig",
    "PredictionLoss",
    "check_compatible",
    "hidden_loss",
    "prediction_loss",
]


def prediction_loss(type: str, **options: Any) -> PredictionLoss:  # noqa: A002 - the name of the field in pipelines
    """A loss on logits by name, to be called as (student_logits, teacher_logits, mask=None); returns a scalar.

    Args:
        type: A type listed in docs/objectives.md under "On predictions", e.g. `kl`.
        **options: Its fields, e.g. `temperature`. A weight is for the pipeline and changes nothing here.

    Raises:
        UserError: If there is no such loss, or no such option.
    """
    return validated_by(_PREDICTION, {"type": type, **options}, "prediction_loss").build()


def hidden_loss(type: str, **options: Any) -> HiddenLoss:  # noqa: A002
    """A loss between layers by name, to be called as (student_states, teacher_states, mask=None); returns a scalar.

    States are [batch, length, width], the mask [batch, length]; losses on attention say in docs/objectives.md what they
    take. A loss with a critic or another part that learns draws it at the first call, from the widths that it sees
    there: call it once before you give `loss.parameters()` to an optimizer.

    Args:
        type: A name of docs/objectives.md.
        **options: Its fields. A weight is for the pipeline and changes nothing here.

    Raises:
        UserError: If there is no such loss, or no such option.
    """
    return validated_by(_INTERMEDIATE, {"type": type, **options}, "hidden_loss").build()
