"""What all contenders share: texts, models, order of texts, optimizer, schedule, evaluation, and how they are measured.

A contender is started as `python -m contenders.SCRIPT NAME SETTING SEED RESULT`: its name (a script may have several),
the file that `Setting` was written to, the seed, and where its result goes. `--keep FILE` also keeps the losses and
the gradients of the first and the last step.
"""

import argparse
import csv
import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import safetensors.torch
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import BatchSampler
from transformers import PreTrainedModel, PreTrainedTokenizerBase, get_linear_schedule_with_warmup, set_seed

from distiller.files import write_json
from distiller.machine import peak_memory_mb, reset_peak_memory
from distiller.models import load_classifier, load_tokenizer
from distiller.training.sampler import LengthBucketSampler

LOSSES, FIRST, LAST = "losses", "first gradient", "last gradient"

Encoding = dict[str, list[int]]
Result = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What is distilled and how. `data` is a folder of CSV files, `teacher` one model, `students` one model a seed."""

    data: str
    teacher: str
    students: str
    max_length: int = 64
    batch_size: int = 32
    epochs: int = 3
    learning_rate: float = 2e-4
    warmup: float = 0.1
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    temperature: float = 4.0
    threads: int = 2

    @classmethod
    def read(cls, path: Path) -> "Setting":
        """As `write` left it."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Into a JSON file."""
        write_json(path, asdict(self))

    def student(self, seed: int) -> str:
        """The folder of the student that training with that seed starts from."""
        return str(Path(self.students) / str(seed))


@dataclass(frozen=True)
class Start:
    """A setting, loaded: what a contender has in hand when its clock starts. Texts are tokenised and not padded."""

    setting: Setting
    tokenizer: PreTrainedTokenizerBase
    teacher: PreTrainedModel
    student: PreTrainedModel
    texts: list[Encoding]
    order: "Order"

    @classmethod
    def load(cls, setting: Setting, seed: int) -> "Start":
        """Read everything; both models come in evaluation mode."""
        tokenizer = load_tokenizer(setting.teacher, "teacher")
        teacher = load_classifier(setting.teacher, {}, "teacher", seed)
        student = load_classifier(setting.student(seed), {}, "student", seed)
        texts, _ = read_split(setting, "train", tokenizer, teacher)
        order = Order([len(text["input_ids"]) for text in texts], setting.batch_size, seed)
        return cls(setting, tokenizer, teacher, student, texts, order)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(student layer, teacher layer), 0 being the embeddings: every k-th layer of the teacher."""
        depth, teacher_depth = self.student.config.num_hidden_layers, self.teacher.config.num_hidden_layers
        return [(layer, layer * teacher_depth // depth) for layer in range(depth + 1)]

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.setting.epochs * math.ceil(len(self.texts) / self.setting.batch_size)

    @property
    def warmup_steps(self) -> int:
        """Over which the learning rate rises."""
        return math.ceil(self.setting.warmup * self.steps)

    def collate(self, texts: Sequence[Encoding]) -> dict[str, Tensor]:
        """A batch, padded to the longest of its texts."""
        return dict(self.tokenizer.pad([*texts], return_tensors="pt"))

    def optimizer(self, *, fused: bool | None = True) -> torch.optim.AdamW:
        """Of the student."""
        return adamw(self.student, self.setting.learning_rate, self.setting.weight_decay, fused=fused)


class Order(LengthBucketSampler):
    """Distiller's own order of texts: each pass is the next epoch, whether or not a trainer says `set_epoch`."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        super().__init__(lengths, batch_size, seed)
        self.passes: list[list[int]] = []

    def __iter__(self) -> Iterator[int]:
        self.set_epoch(len(self.passes))
        self.passes.append([*super().__iter__()])
        return iter(self.passes[-1])

    def fingerprint(self) -> str:
        """Of all texts in the order in which they were taken."""
        return hashlib.sha256(json.dumps(self.passes).encode()).hexdigest()


def read_split(
    setting: Setting, split: str, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> tuple[list[Encoding], Tensor]:
    """The texts of a split as tokens, and their classes as the model numbers them."""
    with (Path(setting.data) / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=setting.max_length)
    names = [name for name in tokenizer.model_input_names if name in encoded]
    texts = [{name: encoded[name][row] for name in names} for row in range(len(rows))]
    return texts, torch.tensor([model.config.label2id[row["label"]] for row in rows])


def adamw(
    module: torch.nn.Module, learning_rate: float, weight_decay: float, *, fused: bool | None = True
) -> torch.optim.AdamW:
    """AdamW without decay on biases and LayerNorm; fused, as the Trainer's default is, unless torch is to choose."""
    decayed: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in module.named_parameters():
        spared = "bias" in name or "layernorm" in name.lower()
        (others if spared else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=fused)


def masked_mse(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error of hidden states [batch, length, width] over the tokens that are no padding."""
    errors = (student - teacher).square().mean(dim=-1)
    return (errors * mask).sum() / mask.sum()


def train_by_formula(start: Start) -> None:
    """What all contenders do, written out."""
    optimizer = start.optimizer()
    schedule = get_linear_schedule_with_warmup(optimizer, start.warmup_steps, start.steps)
    start.student.train()
    for _ in range(start.setting.epochs):
        for rows in BatchSampler(start.order, start.setting.batch_size, drop_last=False):
            loss_by_formula(start, start.collate([start.texts[row] for row in rows])).backward()
            torch.nn.utils.clip_grad_norm_(start.student.parameters(), start.setting.gradient_clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def loss_by_formula(start: Start, batch: dict[str, Tensor]) -> Tensor:
    """T² · KL(teacher ‖ student) on logits, plus the mean over layer pairs of the squared error of hidden states."""
    temperature = start.setting.temperature
    with torch.no_grad():
        teacher = start.teacher(**batch, output_hidden_states=True)
    student = start.student(**batch, output_hidden_states=True)
    target = (teacher.logits / temperature).softmax(dim=-1)
    divergence = (target * (target.log() - (student.logits / temperature).log_softmax(dim=-1))).sum(dim=-1).mean()
    errors = [
        masked_mse(student.hidden_states[own], teacher.hidden_states[other], batch["attention_mask"])
        for own, other in start.pairs
    ]
    return temperature**2 * divergence + torch.stack(errors).mean()


@torch.inference_mode()
def accuracy(start: Start, split: str) -> float:
    """Of the student, in float32."""
    texts, classes = read_split(start.setting, split, start.tokenizer, start.teacher)
    start.student.eval()
    guesses = [
        start.student(**start.collate(texts[row : row + start.setting.batch_size])).logits.argmax(dim=-1)
        for row in range(0, len(texts), start.setting.batch_size)
    ]
    return float((torch.cat(guesses) == classes).float().mean())


@dataclass
class Watch:
    """When each optimizer step of this process ended, how long it all took, and how many cores others were using."""

    ends: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cores_of_others: float = 0.0

    def describe(self) -> Result:
        """As results have it; the median is of the time from the end of one step to the end of the next."""
        steps = [after - before for before, after in zip(self.ends, self.ends[1:], strict=False)]
        return {
            "steps": len(self.ends),
            "median_step_seconds": statistics.median(steps),
            "cores_of_others": round(self.cores_of_others, 3),
        }


@contextmanager
def watched() -> Iterator[Watch]:
    """Measure what happens in the block; peak memory is that since its start."""
    watch = Watch()
    hook = register_optimizer_step_post_hook(lambda *_: watch.ends.append(time.perf_counter()))
    reset_peak_memory()
    began, others = time.perf_counter(), _seconds_of_others()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - began
        watch.cores_of_others = max(0.0, _seconds_of_others() - others) / watch.seconds
        hook.remove()


def _seconds_of_others() -> float:
    """Processor time that went to other processes since the machine was started."""
    machine, own = psutil.cpu_times(), psutil.Process().cpu_times()
    return sum(machine) - machine.idle - machine.iowait - own.user - own.system


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Write into `path` what is trained with in the block, seen alike for all: in their own loops, from outside.

    The losses are the scalars that somebody calls `backward` on. The gradients are those that the optimizer gets in the
    first and the last step, each one vector in the order of its parameters, zeros where there is none.
    """
    losses: list[Tensor] = []
    gradients: dict[str, Tensor] = {}
    backward = Tensor.backward

    def keep_loss(tensor: Tensor, *args: Any, **kwargs: Any) -> None:
        losses.append(tensor.detach().clone())
        backward(tensor, *args, **kwargs)

    def keep_gradient(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        gradients[LAST] = torch.cat([part.detach().flatten() for part in parts])
        gradients.setdefault(FIRST, gradients[LAST])

    hook = register_optimizer_step_pre_hook(keep_gradient)
    Tensor.backward = keep_loss
    try:
        yield
    finally:
        Tensor.backward = backward
        hook.remove()
    safetensors.torch.save_file({LOSSES: torch.stack(losses), **gradients}, path)


def compete(train: Callable[[Start, str, Path], None], *packages: str) -> None:
    """Be a contender that trains `start.student` in place: parse the command line, measure, evaluate, write the result.

    Args:
        train: Called with what it starts from, the contender's name, and a folder for whatever it writes.
        packages: Whose versions are kept besides those that all have.
    """

    def run(setting: Setting, name: str, seed: int, scratch: Path, keeping: AbstractContextManager[None]) -> Result:
        start = Start.load(setting, seed)
        set_seed(seed)
        with keeping, watched() as watch:
            train(start, name, scratch)
        peak = peak_memory_mb()
        return {
            "examples_per_second": setting.epochs * len(start.texts) / watch.seconds,
            "seconds": watch.seconds,
            **watch.describe(),
            "peak_memory_mb": peak,
            "accuracy": accuracy(start, "test"),
            "order": start.order.fingerprint(),
        }

    serve(run, *packages)


def serve(run: Callable[[Setting, str, int, Path, AbstractContextManager[None]], Result], *packages: str) -> None:
    """Parse the command line, let `run` measure, write its result with who made it.

    `run` is called with the setting, the contender's name, the seed, a folder for whatever it writes, and a context
    within which it has to train.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("setting", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("result", type=Path)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    setting = Setting.read(arguments.setting)
    torch.set_num_threads(setting.threads)
    keeping = kept(arguments.keep) if arguments.keep else nullcontext()
    with TemporaryDirectory(dir=arguments.result.parent, prefix=f".{arguments.name}.") as scratch:
        measured = run(setting, arguments.name, arguments.seed, Path(scratch), keeping)
    versions = {package: version(package) for package in ("torch", "transformers", *packages)}
    write_json(
        arguments.result, {"contender": arguments.name, "seed": arguments.seed, **measured, "versions": versions}
    )
