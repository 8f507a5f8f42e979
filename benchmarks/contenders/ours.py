"""Distiller itself: `ours` as it comes, `ours-float32` without bfloat16, `labels-alone` the floor without a teacher.

The store of teacher outputs is built anew by each run, and what that takes is counted. What is not: reading the data,
loading models, tokenising, evaluation after each epoch. Peak memory is that of the whole of `distill`, evaluation of
both models included. Accuracy is that of the best epoch on validation; the checkpoint of each epoch is counted.
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from contenders.setting import Result, Setting, serve, watched
from distiller import Pipeline, distill


def run(setting: Setting, name: str, seed: int, scratch: Path, keeping: AbstractContextManager[None]) -> Result:
    """Distil, and read the measures off the run record."""
    os.environ["DISTILLER_CACHE"] = str(scratch / "cache")
    pipeline = Pipeline.model_validate(content(setting, name, seed))
    with keeping, watched() as watch:
        record = distill(pipeline, scratch / "run").record
    store_seconds, train_seconds = record.cost["store_seconds"], record.cost["train_seconds"]
    seconds = store_seconds + train_seconds
    return {
        "examples_per_second": setting.epochs * record.data["n_train"] / seconds,
        "seconds": seconds,
        "store_seconds": store_seconds,
        "train_seconds": train_seconds,
        "whole_seconds": watch.seconds,
        "teacher_outputs": record.teacher.get("outputs"),
        **watch.describe(),
        "peak_memory_mb": record.cost["peak_memory_mb"],
        "accuracy": record.metrics["student"]["test"]["accuracy"],
    }


def content(setting: Setting, name: str, seed: int) -> dict[str, Any]:
    """The setting as a pipeline; what it does not say is left as Distiller has it."""
    training = {
        "epochs": setting.epochs,
        "batch_size": setting.batch_size,
        "learning_rate": setting.learning_rate,
        "warmup": setting.warmup,
        "weight_decay": setting.weight_decay,
        "gradient_clip": setting.gradient_clip,
    }
    objective: dict[str, Any] = {
        "prediction": {"type": "kl", "temperature": setting.temperature},
        "intermediate": {"type": "mse"},
    }
    store: dict[str, Any] = {}
    if name == "labels-alone":
        objective = {"prediction": None, "hard_label": {"weight": 1.0}}
    if name == "ours-float32":
        training["precision"] = "float32"
        store["dtype"] = "float32"
    return {
        "seed": seed,
        "data": {"source": setting.data, "max_length": setting.max_length},
        "teacher": {"model": setting.teacher, "finetune": None},
        "student": {"model": setting.student(seed)},
        "objective": objective,
        "store": store,
        "training": training,
    }


if __name__ == "__main__":
    serve(run, "distiller", "accelerate")
