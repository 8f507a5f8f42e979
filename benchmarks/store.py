"""How fast the store of teacher outputs is built, beside a bare loop of the teacher over the very same batches.

The teacher and the texts are those that `speed.py` has prepared in the same `--out`. The bare loop is what remains if
nothing is cut, kept, hashed or written: the bfloat16 teacher's forward pass with hidden states, on batches that lie
ready. Both take turns in one process; each build is into an empty store.

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

from contenders.setting import Setting
from distiller import models
from distiller.models import Reading
from distiller.store import FrozenTeacher, TeacherOutputs
from distiller.tasks import Tokens, tokenize
from distiller.training.memory import freed_memory_reused
from speed import prepared


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
        bare = bare_loop(frozen, tokens, digests, place)
        times = []
        for _ in range(arguments.repeats):
            shutil.rmtree(place)
            times.append((seconds(bare), seconds(lambda: build(frozen, tokens, digests, place))))
    loops, builds = zip(*times, strict=True)
    share = statistics.median(loop / building for loop, building in times)
    print("| | texts a second, median (least to most) |\n|---|---|")
    for name, measured in (("bare loop", loops), ("building the store", builds)):
        speeds = [distinct / one for one in measured]
        print(f"| {name} | {statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f}) |")
    print(f"\nbuilding runs at {100 * share:.1f} % of the speed of the bare loop")


def teacher_of(setting: Setting) -> FrozenTeacher:
    """As a student of three layers asks it: for hidden states of every second layer."""
    model = models.load_classifier(setting.teacher, {}, "teacher", seed=0)
    return FrozenTeacher.of(model, Reading("hidden_states", (0, 2, 4, 6)), "bfloat16", longest=512)


def bare_loop(frozen: FrozenTeacher, tokens: Tokens, digests: list[bytes], folder: Path) -> Callable[[], None]:
    """The forward passes that building makes, without anything else."""
    asked: list[dict[str, Any]] = []
    hook = frozen.model.register_forward_pre_hook(lambda _, __, inputs: asked.append(inputs), with_kwargs=True)
    build(frozen, tokens, digests, folder)
    hook.remove()

    @torch.no_grad()
    def loop() -> None:
        for inputs in asked:
            frozen.model(**inputs)

    return loop


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
