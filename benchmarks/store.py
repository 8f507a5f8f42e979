"""How fast the store of teacher outputs is built, beside a bare loop of the teacher over the very same batches.

The teacher and the texts are those that `speed.py` has prepared in the same `--out`. The bare loop is what remains if
nothing is cut, kept, hashed or written: the forward pass with hidden states of the bfloat16 teacher as transformers has
it, on batches that lie ready. The second loop is of the teacher as the store asks it, with its weights in the order in
which the processor multiplies them. All take turns in one process; each build is into an empty store.

    python benchmarks/store.py --out runs/speed
"""

import argparse
import csv
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from contenders.setting import Setting
from distiller import models
from distiller.models import Reading
from distiller.store import FrozenTeacher, TeacherOutputs
from distiller.tasks import Tokens, tokenize
from distiller.training.memory import freed_memory_reused
from speed import prepared

BARE, BUILDING = "bare loop", "building the store"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/speed"))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    setting = prepared(arguments.out.resolve() / "minilm-l6", "asset:minilm-l6", teacher_epochs=3, seeds=[0])
    torch.set_num_threads(setting.threads)
    tokenizer = models.load_tokenizer(setting.teacher, "teacher")
    with (Path(setting.data) / "train.csv").open(encoding="utf-8", newline="") as stream:
        texts = [(row["text"],) for row in csv.DictReader(stream)]
    tokens = tokenize(texts, tokenizer, setting.max_length)
    frozen = teacher_of(setting)
    digests = tokens.digests()
    distinct = len({*digests})
    with tempfile.TemporaryDirectory() as folder, freed_memory_reused():
        place = Path(folder) / "store"
        asked = batches(frozen, tokens, digests, place)
        plain = models.load_classifier(setting.teacher, {}, "teacher", seed=0).to(frozen.dtype).eval()
        measured: dict[str, Callable[[], None]] = {
            BARE: lambda: loop(plain, asked),
            "the same, weights laid out": lambda: loop(frozen.model, asked),
            BUILDING: lambda: build(frozen, tokens, digests, place),
        }
        times: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(arguments.repeats):
            shutil.rmtree(place)
            for name, work in measured.items():
                times[name].append(seconds(work))
    print("| | texts a second, median (least to most) |\n|---|---|")
    for name, found in times.items():
        speeds = [distinct / one for one in found]
        print(f"| {name} | {statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f}) |")
    for name in [*measured][:-1]:
        share = statistics.median(one / building for one, building in zip(times[name], times[BUILDING], strict=True))
        print(f"\n{BUILDING} runs at {100 * share:.1f} % of the speed of: {name}")


def teacher_of(setting: Setting) -> FrozenTeacher:
    """As a student of three layers asks it: for hidden states of every second layer."""
    model = models.load_classifier(setting.teacher, {}, "teacher", seed=0)
    return FrozenTeacher.of(model, Reading("hidden_states", (0, 2, 4, 6)), "bfloat16", longest=512)


def batches(frozen: FrozenTeacher, tokens: Tokens, digests: list[bytes], folder: Path) -> list[dict[str, Any]]:
    """What building asks the teacher."""
    asked: list[dict[str, Any]] = []
    hook = frozen.model.register_forward_pre_hook(lambda _, __, inputs: asked.append(inputs), with_kwargs=True)
    build(frozen, tokens, digests, folder)
    hook.remove()
    return asked


@torch.no_grad()
def loop(model: PreTrainedModel, asked: list[dict[str, Any]]) -> None:
    """The forward passes that building makes, without anything else."""
    for inputs in asked:
        model(**inputs)


def build(frozen: FrozenTeacher, tokens: Tokens, digests: list[bytes], folder: Path) -> None:
    """Into a store of its own, which is empty."""
    os.environ["DISTILLER_CACHE"] = str(folder)
    TeacherOutputs(frozen, "teacher", "tokenizer", {}).build(tokens, digests, lambda _: None, lambda: None)


def seconds(measured: Callable[[], None]) -> float:
    """That it takes."""
    began = time.perf_counter()
    measured()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
