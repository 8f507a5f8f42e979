"""Checkpoints in the middle of a training: when they are written, and which of them are whole."""

import json
import shutil
import time
from pathlib import Path
from typing import Any, cast

from transformers import TrainerCallback


class CheckpointByTime(TrainerCallback):
    """Ask for a checkpoint within an epoch when the last one is old: little is lost in a long epoch."""

    def __init__(self, minutes: float) -> None:
        self._seconds = 60 * minutes
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if time.monotonic() - self._last >= self._seconds:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._last = time.monotonic()


def remove_unfinished_checkpoints(folder: Path) -> None:
    """Remove checkpoints that a killed process left half written: the trainer writes its state last of all."""
    for checkpoint in folder.glob("checkpoint-*"):
        if logged(checkpoint) is None:
            shutil.rmtree(checkpoint)


def logged(checkpoint: Path) -> list[dict[str, float]] | None:
    """What the trainer had logged at a checkpoint; None if the checkpoint is not whole."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return cast("list[dict[str, float]]", state["log_history"])
    except (OSError, ValueError, KeyError):
        return None
