"""Distiller itself: `ours` as it comes, `ours-float32` without bfloat16, `labels-alone` the floor without a teacher.

The store of teacher outputs is built anew by each run, and what that takes is counted. What is not: reading the data,
loading models, tokenising, evaluation after each epoch. Peak memory is that of the whole of `distill`, evaluation of
both models included. Accuracy is that of the best epoch on validation, which is what is kept, and besides that of the
last, which is what the others keep; the checkpoint of each epoch is counted.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from contenders.setting import Result, Setting, serve, watched
from distiller import Pipeline, distill
from distiller.training.evaluation import predict
from distiller.training.examples import encode
from distiller.training.plan import make_plan
from distiller.training.trainer import DistillationTrainer


def run(setting: Setting, name: str, seed: int, scratch: Path, keeping: AbstractContextManager[None]) -> Result:
    """Distil, and read the measures off the run record."""
    os.environ["DISTILLER_CACHE"] = str(scratch / "cache")
    pipeline = Pipeline.model_validate(content(setting, name, seed))
    last: list[float] = []
    with keeping, last_epoch_on_test(pipeline, last), watched() as watch:
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
        "last_epoch_accuracy": last[-1],
    }


@contextmanager
def last_epoch_on_test(pipeline: Pipeline, accuracies: list[float]) -> Iterator[None]:
    """Add what the last epoch scores on test, before the best on validation takes its place; nobody's clock runs."""
    plan = make_plan(pipeline)
    test = encode([plan.dataset.test], plan.classes, plan.task, plan.student_reader)
    load_best = DistillationTrainer._load_best_model

    def judged_before(trainer: DistillationTrainer) -> None:
        student = trainer.accelerator.unwrap_model(trainer.model).student
        accuracies.append(plan.task.scores(predict(student, test, "training"))["accuracy"])
        load_best(trainer)

    DistillationTrainer._load_best_model = judged_before
    try:
        yield
    finally:
        DistillationTrainer._load_best_model = load_best


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
