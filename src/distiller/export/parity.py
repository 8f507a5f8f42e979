"""Whether two models say the same of the same texts."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distiller.errors import UserError
from distiller.tasks import Predictions, Task

TOLERANCE = 1e-4
"""How far logits may be apart in float: of each, and of the largest where that is above 1."""


@dataclass(frozen=True)
class Parity:
    """How far apart the logits of two models are.

    Attributes:
        max_difference: The largest.
        mean_difference: The mean.
        largest_logit: Of the original, in absolute value.
        agreement: The share of texts, words or questions of which both tell the same label; None for numbers.
    """

    max_difference: float
    mean_difference: float
    largest_logit: float
    agreement: float | None

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(original: Predictions, other: Predictions, task: Task) -> Parity:
    """Predictions of the same examples; what no model has read is left out."""
    read = np.isfinite(original.logits)
    logits = original.logits[read].astype(np.float64)
    difference = np.abs(logits - other.logits[read])
    pairs = [*zip(task.guesses(original), task.guesses(other), strict=True)]
    return Parity(
        float(difference.max()),
        float(difference.mean()),
        float(np.abs(logits).max()),
        sum(one == two for one, two in pairs) / len(pairs) if pairs else None,
    )


def refuse_other(parity: Parity, place: str) -> None:
    """Refuse a file that is not the model it was made of.

    Raises:
        UserError: At `place`, if logits are further apart than rounding explains.
    """
    allowed = TOLERANCE * max(1.0, parity.largest_logit)
    if not parity.max_difference <= allowed:
        found = f"as ONNX its logits are {parity.max_difference:.2g} from the original's, and {allowed:.2g} is allowed"
        raise UserError(place, f"{found}; try another --opset")
