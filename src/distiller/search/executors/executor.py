"""What every executor offers: jobs go in, and it says when each has ended, and whether its process died."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from distiller.schema import Config


@dataclass(frozen=True)
class Job:
    """Train the student of one trial for some epochs; all that is left is in its folder.

    Attributes:
        name: Of the trial.
        folder: With the pipeline; all that the trial leaves is written there.
        until: After how many epochs it ends.
        timed: Whether the latency of a finished student is measured.
    """

    name: str
    folder: Path
    until: int
    timed: bool


@dataclass(frozen=True)
class Ended:
    """A job that has ended: what it found out is in the record in its folder.

    Attributes:
        job: Which.
        died: How its process ended without having written one; None if it came to its end.
    """

    job: Job
    died: str | None


class Executor(Protocol):
    """Runs jobs side by side."""

    workers: int

    def submit(self, job: Job) -> None:
        """Start one; there is a worker for it."""

    def wait(self, seconds: float) -> list[Ended]:
        """Those that have ended; waits so long for the first."""

    def close(self) -> None:
        """Stop what is running: each job writes a checkpoint to go on from if it can."""


class ExecutorBase(Config, ABC):
    """The config of an executor."""

    @abstractmethod
    def open(self) -> Executor:
        """Start it.

        Raises:
            UserError: If it is not there, or cannot be reached.
        """
