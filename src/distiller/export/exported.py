"""What an exported folder holds, and what it was found to be worth."""

from dataclasses import asdict, dataclass
from typing import Any

from distiller.export.int8 import Quantised, share_lost
from distiller.export.parity import Parity
from distiller.export.subject import Subject
from distiller.version import __version__

ORIGINAL, FLOAT, INT8 = "original", "model.onnx", "model-int8.onnx"
"""The forms of a model: as it was, in float, and with integers for weights."""


def share(of_one: float) -> str:
    """As per cent."""
    return f"{100 * of_one:.1f} %"


@dataclass(frozen=True)
class Form:
    """A model in one of its forms.

    Attributes:
        size_mb: Of its weights, or of the file.
        scores: On the test split, every metric by name; None without data.
        parity: With the original; None of that itself.
        latency: As run records have it.
    """

    size_mb: float
    scores: dict[str, float] | None
    parity: Parity | None
    latency: dict[str, Any]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        subject: What was exported.
        opset: The version of ONNX's operators.
        forms: By name, the original first.
        quantised: What became of int8; None if nobody asked for it.
        max_loss: The share of the metric that it might cost.
    """

    subject: Subject
    opset: int
    forms: dict[str, Form]
    quantised: Quantised | None
    max_loss: float

    def loss(self, form: str) -> float | None:
        """The share of the metric that a form costs on the test split; None without data."""
        metric, before, after = self.subject.metric, self.forms[ORIGINAL].scores, self.forms[form].scores
        if metric is None or before is None or after is None:
            return None
        return share_lost(before[metric], after[metric])

    @property
    def sentences(self) -> list[str]:
        """What was read, and what int8 costs, in words."""
        said, found = [f"Read to verify it: {self.subject.read_from}."], self.quantised
        if found is None:
            return said
        metric, most = self.subject.metric, f"{share(self.max_loss)} of it may be lost"
        if not found.left_in_float:
            return [*said, f"int8 costs {share(found.loss)} of {metric} on the validation split; {most}."]
        bad = f"int8 would cost {share(found.loss_of_all)} of {metric} on the validation split, and {most}"
        if INT8 not in self.forms:
            return [*said, f"{bad}: too much is lost with half of the layers in float, so none is written."]
        kept = ", ".join(node.split("/")[0] for node in found.left_in_float)
        return [*said, f"{bad}; it costs {share(found.loss)} with these left in float: {kept}."]

    def describe(self) -> dict[str, Any]:
        """As export.json has it."""
        return {
            "version": __version__,
            "model": self.subject.examinee.name,
            "task": self.subject.examinee.task.name,
            "opset": self.opset,
            "read_from": self.subject.read_from,
            "metric": self.subject.metric,
            "max_loss": self.max_loss,
            "int8": None if self.quantised is None else asdict(self.quantised),
            "forms": {name: {**asdict(form), "loss": self.loss(name)} for name, form in self.forms.items()},
        }
