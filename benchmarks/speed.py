"""How fast Distiller distils beside its peers: the same teacher, student, data, loss and order of texts for all.

A fine-tuned teacher (MiniLM with 6 layers unless told otherwise), a student of three evenly spaced layers of it,
sentences of film reviews in two classes, 3 epochs on a CPU with 2 threads. The loss is KL on logits at temperature 4
plus the squared error of hidden states, padding left out; `--check` shows that all have the same gradient. Each run is
one process; seed by seed the contenders take turns. Results that are there are kept, so that the script can be stopped
and started again. Each contender's script says how it is used.

What to know when reading the numbers. All take texts in Distiller's own order, in which like lengths stand together:
peers that pad batches to their longest text profit from it as we do. All but `textbrewer` have the fused AdamW, which
the examples of TextBrewer and torchdistill have not: torch's default one takes six times as long on a CPU. The time
is that of training and of whatever a contender computes for it beforehand, such as our store of teacher outputs; not
that of loading, tokenising or evaluation. Saving is counted as each does it by default: we a checkpoint an epoch, the
Trainer one every 500 steps and one at the end, TextBrewer the weights of each epoch, torchdistill nothing. Peak memory
is that of the process since the start of training, for us since the start of `distill`. Accuracy is on test, of what
is kept: of us the best epoch on validation, of the others the last. That of everybody's last epoch stands beside it.

    python benchmarks/speed.py --out runs/speed
    python benchmarks/speed.py --out runs/speed --teacher asset:mpnet --teacher-epochs 1 --steps 90

With `--steps` all train on so few texts that the epochs come to that many steps (rounded up to whole epochs): for
throughput alone. What is paid once or once an epoch (store, checkpoints) weighs more then; the time of a step does not
contain it.
"""

import argparse
import csv
import json
import math
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import safetensors.torch
import torch
from torch import Tensor

from contenders.setting import FIRST, LAST, LOSSES, Result, Setting, Start, kept, train_by_formula
from distiller import Pipeline, data, models
from distiller.data import DataConfig
from distiller.files import replaced_folder, write_json
from distiller.machine import PROCESSOR, has_bfloat16
from distiller.models import StudentConfig
from distiller.training import finetune

HERE = Path(__file__).resolve().parent
SCRIPTS = {
    "ours": "ours",
    "trainer-bf16": "transformers_trainer",
    "ours-float32": "ours",
    "trainer": "transformers_trainer",
    "torchdistill": "torchdistill_box",
    "textbrewer-dynamic": "textbrewer_distiller",
    "textbrewer": "textbrewer_distiller",
    "labels-alone": "ours",
}
REFERENCE = "ours"
FORMULA, CHECKED_STEPS, TOLERANCE = "formula", 8, 1e-4
CHECKED = ("ours-float32", "trainer", "torchdistill", "textbrewer-dynamic", "textbrewer")
ROUNDED = ("ours", "trainer-bf16")
DATA, SPLITS = "asset:hutto-movies", ("train", "validation", "test")
STUDENT_LAYERS = 3
SEED_OF_DATA = 0
DISTURBED = 0.1


def main() -> None:
    """Prepare what is missing, run what is missing, print the table."""
    arguments = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no contender is left running
    folder = arguments.out.resolve() / arguments.teacher.removeprefix("asset:").strip("/").replace("/", "-")
    seeds = range(arguments.repeats)
    setting = prepared(folder, arguments.teacher, arguments.teacher_epochs, seeds)
    if arguments.check:
        check(folder / "check", setting)
        return
    steps = arguments.steps
    runs = folder / ("whole" if steps is None else f"{steps}-steps")
    runs.mkdir(parents=True, exist_ok=True)
    if steps is not None:
        texts = setting.batch_size * math.ceil(steps / setting.epochs)
        setting = replace(setting, data=str(cut_data(Path(setting.data), runs / "data", texts)))
    setting.write(runs / "setting.json")
    for seed in seeds:
        for name in arguments.only:
            result = runs / f"{name}-{seed}.json"
            if not result.exists():
                print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
                run(name, runs / "setting.json", seed, result, setting.threads)
    report(runs)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/speed"))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender, each with its own seed")
    parser.add_argument("--only", type=names, default=[*SCRIPTS], help=f"some of {','.join(SCRIPTS)}")
    parser.add_argument("--steps", type=int, help="train so few steps, for throughput alone")
    parser.add_argument("--teacher", default="asset:minilm-l6")
    parser.add_argument("--teacher-epochs", type=int, default=3, help="of its fine-tuning")
    parser.add_argument("--check", action="store_true", help="compare losses and gradients, and time nothing")
    return parser.parse_args()


def names(text: str) -> list[str]:
    """Contenders, separated by commas."""
    chosen = text.split(",")
    strangers = [name for name in chosen if name not in SCRIPTS]
    if strangers:
        raise argparse.ArgumentTypeError(f"no contender is called {strangers[0]!r}; known: {', '.join(SCRIPTS)}")
    return chosen


def prepared(folder: Path, teacher: str, teacher_epochs: int, seeds: Iterable[int]) -> Setting:
    """Data, the fine-tuned teacher, and one student a seed, cut from the teacher's checkpoint before fine-tuning."""
    setting = Setting(data=str(folder / "data"), teacher=str(folder / "teacher"), students=str(folder / "students"))
    torch.set_num_threads(setting.threads)
    if not Path(setting.data).exists():
        write_data(Path(setting.data))
    if not Path(setting.teacher).exists():
        pipeline = {
            "data": {"source": setting.data, "max_length": setting.max_length},
            "teacher": {"model": teacher, "finetune": {"epochs": teacher_epochs}},
            "student": {"layers": [0]},
        }
        finetune(Pipeline.model_validate(pipeline), folder)
    for seed in seeds:
        if not Path(setting.student(seed)).exists():
            write_student(setting, teacher, seed)
    return setting


def write_data(folder: Path) -> None:
    """The sentences with a positive or a negative rating in place of their number, split once."""
    dataset = data.load(DataConfig(source=DATA), "numbers", SEED_OF_DATA)
    with replaced_folder(folder) as unfinished:
        for split in SPLITS:
            examples = getattr(dataset, split)
            rows = [
                (text, "positive" if rating > 0 else "negative")
                for (text,), rating in zip(examples.texts, examples.labels, strict=True)
            ]
            # So that the first texts of training are a fair sample of all.
            random.Random(SEED_OF_DATA).shuffle(rows)
            write_rows(unfinished / f"{split}.csv", rows)


def write_rows(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """As CSV with the columns text and label."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])


def write_student(setting: Setting, source: str, seed: int) -> None:
    """Evenly spaced layers of the checkpoint, with a head drawn from the seed."""
    teacher = models.load_classifier(setting.teacher, {}, "teacher", seed)
    depth = teacher.config.num_hidden_layers
    layers = [*range(0, depth, depth // STUDENT_LAYERS)]
    fields = ("num_labels", "id2label", "label2id", "problem_type")
    head = {name: getattr(teacher.config, name) for name in fields}
    student = models.build_student(StudentConfig(layers=layers), teacher, source, head, seed)
    models.save(student, models.load_tokenizer(setting.teacher, "teacher"), Path(setting.student(seed)))


def cut_data(source: Path, folder: Path, texts: int) -> Path:
    """The same splits with so many training texts only."""
    with replaced_folder(folder) as unfinished:
        for split in SPLITS:
            with (source / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
                rows = [(row["text"], row["label"]) for row in csv.DictReader(stream)]
            write_rows(unfinished / f"{split}.csv", rows[:texts] if split == "train" else rows)
    return folder


def run(name: str, setting: Path, seed: int, result: Path, threads: int, *options: str) -> None:
    """One contender in a process of its own; what it says goes into a file beside its result."""
    command = [sys.executable, "-m", f"contenders.{SCRIPTS[name]}", name, str(setting), str(seed), str(result)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    for left_by_a_killed_one in result.parent.glob(f".{name}.*"):
        shutil.rmtree(left_by_a_killed_one)
    log = result.with_suffix(".log")
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.run(
            [*command, *options], cwd=HERE, env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False
        )
    if process.returncode != 0:
        raise SystemExit(f"{name} failed, see {log}:\n{log.read_text(encoding='utf-8')[-2000:]}")


def check(folder: Path, setting: Setting) -> None:
    """Let each contender take a few steps in its own loop, without dropout and clipping; compare.

    Printed are the losses that it calls `backward` on and the gradients that its optimizer gets. TextBrewer's loss is
    larger by T² times the entropy of the teacher, which is constant. Those that compute in bfloat16 are shown and not
    judged: the nearer student and teacher are, the more of their difference is rounding.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = cut_data(Path(setting.data), folder / "data", CHECKED_STEPS // 2 * setting.batch_size)
    alike = replace(setting, data=str(texts), students=str(folder / "students"), epochs=2, gradient_clip=1e9)
    write_student_without_dropout(setting, alike)
    alike.write(folder / "setting.json")
    with kept(folder / f"{FORMULA}.safetensors"):
        train_by_formula(Start.load(alike, 0))
    for name in (*CHECKED, *ROUNDED):
        options = ["--keep", str(folder / f"{name}.safetensors")]
        run(name, folder / "setting.json", 0, folder / f"{name}.json", alike.threads, *options)
    found = {
        name: safetensors.torch.load_file(folder / f"{name}.safetensors") for name in (FORMULA, *CHECKED, *ROUNDED)
    }
    print(table_of_check(found))
    others = [name for name in CHECKED if not distance(FIRST, found[name], found[FORMULA]) <= TOLERANCE]
    if others:
        raise SystemExit(f"another gradient than the formula's: {', '.join(others)}")


def table_of_check(found: dict[str, dict[str, Tensor]]) -> str:
    """Markdown: first and last loss, and how far the first and the last gradient are from the formula's."""
    lines = [
        f"| contender | loss 1 | loss {CHECKED_STEPS} | distance of gradient 1 | of gradient {CHECKED_STEPS} |",
        "|---|---|---|---|---|",
    ]
    for name, kept_of_it in found.items():
        losses = f"{kept_of_it[LOSSES][0].item():.6f} | {kept_of_it[LOSSES][-1].item():.6f}"
        distances = " | ".join(f"{distance(which, kept_of_it, found[FORMULA]):.1e}" for which in (FIRST, LAST))
        lines.append(f"| {name} | {losses} | {distances} |")
    return "\n".join(lines)


def distance(which: str, one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Of two gradients, relative to the length of the other."""
    return ((one[which] - other[which]).norm() / other[which].norm()).item()


def write_student_without_dropout(setting: Setting, alike: Setting) -> None:
    """The student of seed 0, so that what contenders compute can be compared."""
    student = models.load_classifier(setting.student(0), {}, "student", 0)
    student.config.hidden_dropout_prob = student.config.attention_probs_dropout_prob = 0.0
    models.save(student, models.load_tokenizer(setting.student(0), "student"), Path(alike.student(0)))


def report(runs: Path) -> None:
    """Join all results in `results.json`, print the table, and what speaks against it."""
    results = [read_json(path) for path in sorted(runs.glob("*-[0-9]*.json"))]
    content = {"machine": machine(), "setting": read_json(runs / "setting.json"), "runs": results}
    write_json(runs / "results.json", content)
    print(table(results))
    disturbed = [result for result in results if result["cores_of_others"] > DISTURBED]
    if disturbed:
        print(f"\nOther processes were at work during {len(disturbed)} of {len(results)} runs; remove and repeat them:")
        print(", ".join(f"{result['contender']}-{result['seed']}.json" for result in disturbed))
    orders = {(result["seed"], result["order"]) for result in results if "order" in result}
    if len(orders) > len({seed for seed, _ in orders}):
        raise SystemExit("not all contenders took the texts in the same order")


def machine() -> dict[str, Any]:
    """Where the runs were made."""
    lines = PROCESSOR.read_text(encoding="utf-8").splitlines() if PROCESSOR.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "bfloat16": has_bfloat16(),
    }


def table(results: Sequence[Result]) -> str:
    """Markdown, in the order of the contenders; the ratio is the median over seeds, each seed with its own."""
    lines = [
        "| contender | examples/s | ours to it | ms a step | peak memory, MB | test accuracy | of the last epoch |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = {result["seed"]: result["examples_per_second"] for result in results if result["contender"] == REFERENCE}
    for name in SCRIPTS:
        own = [result for result in results if result["contender"] == name]
        if own:
            lines.append(row(name, own, ours))
    return "\n".join(lines)


def row(name: str, own: Sequence[Result], ours: dict[int, float]) -> str:
    """One contender."""
    speeds = [result["examples_per_second"] for result in own]
    ratios = [ours[result["seed"]] / result["examples_per_second"] for result in own if result["seed"] in ours]
    ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
    step, memory = (
        statistics.median(result[key] for result in own) for key in ("median_step_seconds", "peak_memory_mb")
    )
    accuracy = statistics.mean(result["accuracy"] for result in own)
    # What the others keep is their last; of us older results do not say.
    last = [
        result.get("last_epoch_accuracy", None if SCRIPTS[name] == "ours" else result["accuracy"]) for result in own
    ]
    speed = f"{statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f})"
    of_last = "" if None in last else f"{100 * statistics.mean(last):.1f} %"
    scores = f"{100 * accuracy:.1f} % | {of_last}"
    return f"| {name} | {speed} | {ratio} | {1000 * step:.0f} | {memory:.0f} | {scores} |"


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
