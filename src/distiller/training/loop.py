"""From a student and an objective to the trained student: the trainer, set up as a run needs it."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PrinterCallback, ProgressCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from distiller.models import FinetuneConfig, quiet
from distiller.training import precision
from distiller.training.checkpoints import CheckpointByTime, StopAfter, epochs_done, logged, make_ready
from distiller.training.distillation import Distillation
from distiller.training.dropout import fast_dropout
from distiller.training.examples import TrainingSet
from distiller.training.memory import FreedMemoryGivenBack, freed_memory_reused
from distiller.training.progress import ProgressBar
from distiller.training.random_state import isolated_random_state
from distiller.training.trainer import DistillationTrainer, Validation
from distiller.training.vocabulary import seen_rows_trained

LOGS_PER_RUN = 100


@dataclass(frozen=True)
class Course:
    """How a training went.

    Attributes:
        history: What was logged, in order: per step the loss and its terms, per epoch the validation metrics.
        seconds: Time spent on training steps, over all resumptions.
        examples_per_second: Texts learned from in that time.
        epochs: How many are done.
    """

    history: list[dict[str, float]]
    seconds: float
    examples_per_second: float
    epochs: int


def fit(
    distillation: Distillation,
    examples: TrainingSet,
    validation: Validation,
    config: FinetuneConfig,
    *,
    seed: int,
    folder: Path,
    section: str,
    title: str,
    until: int | None = None,
) -> Course:
    """Train `distillation` in place and leave it with the weights of its best checkpoint on the validation metric.

    Goes on from the last whole checkpoint in `folder` if there is one, and then ends with the weights that it would
    have had without the interruption.

    Args:
        distillation: The student, its objective and the teacher.
        examples: What is learned from.
        validation: What chooses the best checkpoint.
        config: Epochs, learning rate and so on.
        seed: Seed of dropout and of the order of texts.
        folder: Where checkpoints are kept.
        section: The part of the pipeline that `config` is, for errors.
        title: What the progress bar says.
        until: After how many epochs to stop for now; None for all of them. What a later call goes on with is the same.

    Raises:
        UserError: If a loss is not finite: which term, at which step, what to lower. If the checkpoint has other
            weights than `distillation`: another version of this program wrote it.
    """
    make_ready(folder)
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if until is not None and last is not None and until < config.epochs and epochs_done(folder) >= until:
        return _course(logged(Path(last)) or [], epochs_done(folder), len(examples))
    bar = ProgressBar(title, validation.metric)
    student = distillation.student
    with (
        isolated_random_state(seed),
        quiet(),
        fast_dropout(student),
        seen_rows_trained(student, examples.vocabulary),
        freed_memory_reused(),
    ):
        trainer = DistillationTrainer(
            model=distillation,
            args=_arguments(config, len(examples), validation.metric, seed, folder),
            train_dataset=examples,
            eval_dataset=examples,
            data_collator=examples.collate,
            callbacks=[
                bar,
                CheckpointByTime(config.checkpoint_minutes),
                FreedMemoryGivenBack(),
                *([] if until is None else [StopAfter(until)]),
            ],
            validation=validation,
            section=section,
            seed=seed,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        try:
            trainer.train_from(last)
        finally:
            bar.stop()
    if trainer.state.best_model_checkpoint is None:
        raise RuntimeError(f"no best checkpoint is left in {folder}")
    return _course(trainer.state.log_history, round(float(trainer.state.epoch or 0)), len(examples))


def _course(log: list[dict[str, float]], epochs: int, examples: int) -> Course:
    history = [_finite(entry) for entry in log if "train_runtime" not in entry]
    seconds = history[-1]["seconds"]
    return Course(history, seconds, epochs * examples / seconds, epochs)


def _finite(entry: dict[str, float]) -> dict[str, float]:
    """Without what is no number: the norm of a gradient may be infinite before it is clipped."""
    return {name: value for name, value in entry.items() if math.isfinite(value)}


def _arguments(config: FinetuneConfig, examples: int, metric: str, seed: int, folder: Path) -> TrainingArguments:
    steps = config.epochs * math.ceil(examples / config.batch_size)
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=math.ceil(config.warmup * steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.gradient_clip,
        bf16=precision.resolve(config.precision) == "bfloat16",
        use_cpu=not torch.accelerator.is_available(),
        seed=seed,
        data_seed=seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{metric}",
        greater_is_better=True,
        logging_steps=max(1, steps // LOGS_PER_RUN),
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to=[],
    )
    # Several GPUs in one process would copy the student to each, but not the teacher.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments
