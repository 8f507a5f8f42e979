"""The loop: a transformers Trainer over a `Distillation`, with the checkpoints, order and checks that a run needs."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor
from transformers import Trainer

from distiller.errors import UserError
from distiller.objectives import MUTUAL_INFORMATION
from distiller.tasks import Task
from distiller.training.checkpoints import STATE, logged
from distiller.training.distillation import Distillation
from distiller.training.evaluation import predict
from distiller.training.examples import Encoded, TrainingSet
from distiller.training.sampler import LengthBucketSampler
from distiller.training.vocabulary import SeenRows

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Validation:
    """What chooses the best checkpoint."""

    split: Encoded
    task: Task
    metric: str


class DistillationTrainer(Trainer):
    """A Trainer with named loss terms, its own order of texts, checks for NaN, and weights in safetensors alone."""

    def __init__(self, *args: Any, validation: Validation, section: str, seed: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = False
        self.loss_is_scaled_for_ga = False
        self._validation = validation
        self._section = section
        self._order_seed = seed
        self._recent: list[dict[str, Tensor]] = []
        self._clock = _Clock()

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - the signature is the base class's
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        """The sum of the weighted terms."""
        terms, observed = model(**inputs)
        if len(inputs["targets"]) < min(
            self.args.per_device_train_batch_size, len(cast("TrainingSet", self.train_dataset))
        ):
            # A bound of fewer texts shows less: in a curve that would look like a loss.
            observed = {name: value for name, value in observed.items() if not name.startswith(MUTUAL_INFORMATION)}
        self._recent.append({name: term.detach() for name, term in [*terms.items(), *observed.items()]})
        loss = torch.stack([*terms.values()]).sum()
        return (loss, terms) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The task's metrics of the student on the validation split."""
        self._refuse_values_that_are_not_finite()
        with self._clock.paused():
            student = cast("Distillation", self.accelerator.unwrap_model(self.model)).student
            predictions = predict(student, self._validation.split, self._section)
            scores = self._validation.task.scores(predictions)
        metrics = {f"eval_{name}": score for name, score in scores.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each term since the last log, and the seconds of training so far."""
        if "loss" in logs:
            logs.update(self._means_of_terms())
        logs["seconds"] = self._clock.seconds()
        super().log(logs, start_time)

    def train_from(self, checkpoint: str | None) -> None:
        """Train, going on from that checkpoint if there is one, and counting the seconds up to it.

        Raises:
            UserError: If the checkpoint has other weights than what is trained.
        """
        if checkpoint and not _has_weights_of(Path(checkpoint), self.accelerator.unwrap_model(self.model)):
            mend = "was written by another version of Distiller: name another --out, or go on with that version"
            raise UserError(checkpoint, mend)
        earlier = logged(Path(checkpoint)) if checkpoint else None
        self._clock.start(earlier[-1]["seconds"] if earlier else 0.0)
        self.train(resume_from_checkpoint=checkpoint)

    def _means_of_terms(self) -> dict[str, float]:
        self._refuse_values_that_are_not_finite()
        recent, self._recent = self._recent, []
        gathered: dict[str, list[Tensor]] = {}
        for step in recent:
            for name, value in step.items():
                gathered.setdefault(name, []).append(value)
        return {name: float(torch.stack(values).mean()) for name, values in gathered.items()}

    def _refuse_values_that_are_not_finite(self) -> None:
        first = self.state.global_step - len(self._recent) + 1
        for step, terms in enumerate(self._recent, start=first):
            for name, value in terms.items():
                if not math.isfinite(float(value)):
                    raise UserError(f"objective.{name}", self._mend(step))

    def _mend(self, step: int) -> str:
        rate = f"{self._section}.learning_rate (now {self.args.learning_rate:g})"
        precision = f"{self._section}.precision: float32"
        return f"the loss is not a finite number at step {step}; lower {rate}, or set {precision}"

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """What the objective learns has learning rates of its own."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        factors = _learning_rate_factors(cast("torch.nn.Module", self.model))
        for group in [*optimizer.param_groups]:
            for factor in sorted({*factors.values()}):
                faster = [weight for weight in group["params"] if factors.get(weight) == factor]
                if not faster:
                    continue
                group["params"] = [weight for weight in group["params"] if factors.get(weight) != factor]
                optimizer.add_param_group({**group, "params": faster, "lr": factor * group["lr"]})
        for part in cast("torch.nn.Module", self.model).modules():
            if isinstance(part, SeenRows):
                part.decay_with(optimizer)
        return optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthBucketSampler:  # noqa: ARG002
        examples = cast("TrainingSet", self.train_dataset)
        return LengthBucketSampler(examples.lengths, self.args.per_device_train_batch_size, self._order_seed)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_values_that_are_not_finite()
        # A checkpoint that is written again is not whole until its state is there again.
        (Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}" / STATE).unlink(missing_ok=True)
        super()._save_checkpoint(*args, **kwargs)

    def _load_best_model(self) -> None:
        # Nothing is learned any more: gradients and moments, three times the model, need not lie beside what is loaded.
        cast("torch.nn.Module", self.model).zero_grad()
        cast("torch.optim.Optimizer", self.optimizer).state.clear()
        super()._load_best_model()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_model(self.accelerator.unwrap_model(self.model), str(folder / WEIGHTS))


def _has_weights_of(checkpoint: Path, module: torch.nn.Module) -> bool:
    """Whether a checkpoint has all that a module would save, in the same shapes, and nothing else.

    The names and shapes are in the header of the file. Of weights that share their memory one stands for all of them
    there, whichever.
    """
    with safe_open(checkpoint / WEIGHTS, framework="pt") as file:
        saved = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - it is no mapping
    state = module.state_dict()
    if any(name not in state or [*state[name].shape] != shape for name, shape in saved.items()):
        return False
    memory = {state[name].untyped_storage().data_ptr() for name in saved}
    return all(weight.untyped_storage().data_ptr() in memory for weight in state.values())


def _learning_rate_factors(module: torch.nn.Module) -> dict[torch.nn.Parameter, float]:
    """How many times as fast as the student the weights of a module learn, where that says so."""
    parts = ((part, getattr(part, "learning_rate_factor", None)) for part in module.modules())
    return {weight: factor for part, factor in parts if isinstance(factor, float) for weight in part.parameters()}


class _Clock:
    """Seconds of training, without those of evaluation."""

    def __init__(self) -> None:
        self._earlier = 0.0
        self._began = time.perf_counter()

    def start(self, earlier: float) -> None:
        self._earlier, self._began = earlier, time.perf_counter()

    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._began

    @contextmanager
    def paused(self) -> Iterator[None]:
        paused = time.perf_counter()
        yield
        self._began += time.perf_counter() - paused
