"""Which number format a run computes in."""

from typing import Literal

from distiller.machine import has_bfloat16
from distiller.models import Precision


def resolve(precision: Precision) -> Literal["float32", "bfloat16"]:
    """What `auto` comes to here: bfloat16 where the hardware multiplies in it, float32 elsewhere."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_bfloat16() else "float32"
