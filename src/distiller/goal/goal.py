"""What a student is to come to, and in which time."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from distiller.schema import Config
from distiller.search.config import seconds

SURE = 0.9
"""A goal counts as met if that is so probable, by what is known from validation."""


class Goal(Config):
    """What a student is to come to.

    Attributes:
        retain: The share of the teacher's score that it keeps.
        latency_ms: For one text on this machine's CPU, exported, median, at most; None if that does not matter.
        size_mb: Of the exported file, at most; None if that does not matter.
        time: Seconds that it may take to find it, or a text such as 30m or 2h.
    """

    retain: Annotated[float, Field(gt=0, le=2)] = 0.97
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    size_mb: Annotated[float, Field(gt=0)] | None = None
    time: Annotated[float, Field(gt=0), BeforeValidator(seconds)] = 7200.0

    def allows(self, latency_ms: float, size_mb: float) -> bool:
        """Whether a file that takes so long and is so large is within the goal."""
        return (self.latency_ms is None or latency_ms <= self.latency_ms) and (
            self.size_mb is None or size_mb <= self.size_mb
        )
