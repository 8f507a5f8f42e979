"""Checkpoints in the middle of a training: when they are written, and which of them are whole."""

import json
import shutil
import time
from pathlib import Path
from typing import Any, cast

from transformers import TrainerCallback

from distiller.files import write_json

STATE = "trainer_state.json"


class CheckpointByTime(TrainerCallback):
    """Ask for a checkpoint within an epoch when the last one is old: little is lost in a long epoch."""

    def __init__(self, minutes: float) -> None:
        self._seconds = 60 * minutes
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if _ends_epoch(args, state):
            return  # the epoch's own checkpoint follows its evaluation, which a resumed run must not miss
        if time.monotonic() - self._last >= self._seconds:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._last = time.monotonic()


class StopAfter(TrainerCallback):
    """Stop when so many epochs are done, with the checkpoint of the last one to go on from."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if round(float(state.epoch)) >= self._epochs:
            control.should_training_stop = True


def _ends_epoch(args: Any, state: Any) -> bool:
    return int(state.global_step) % (int(state.max_steps) // int(args.num_train_epochs)) == 0


def make_ready(folder: Path) -> None:
    """Remove checkpoints that a killed process left half written, and tell the others where the best of them is now.

    The trainer writes its state last of all; in it is the path of the best checkpoint as it was then.
    """
    for checkpoint in folder.glob("checkpoint-*"):
        if logged(checkpoint) is None:
            shutil.rmtree(checkpoint)
            continue
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        if state["best_global_step"] is not None:
            best = folder / f"checkpoint-{state['best_global_step']}"
            write_json(checkpoint / STATE, {**state, "best_model_checkpoint": str(best)})


def epochs_done(folder: Path) -> int:
    """How many epochs the last whole checkpoint in a folder has seen to their end; 0 if there is none."""
    states = [folder / name / STATE for name in sorted(path.name for path in folder.glob("checkpoint-*"))]
    epochs = [json.loads(state.read_text(encoding="utf-8"))["epoch"] for state in states if state.exists()]
    return int(max(epochs, default=0) + 1e-6)


def logged(checkpoint: Path) -> list[dict[str, float]] | None:
    """What the trainer had logged at a checkpoint; None if the checkpoint is not whole."""
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        return cast("list[dict[str, float]]", state["log_history"])
    except (OSError, ValueError, KeyError):
        return None
