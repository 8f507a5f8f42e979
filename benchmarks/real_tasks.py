"""Each task on real data: what a teacher of 6 layers scores, and its student of 3, beside the most common answer.

WNUT-17 has its official splits; RTE, MRPC and STS-B are judged on their official development sets, since GLUE keeps
the labels of its tests: there the best epoch is chosen on a tenth of the training set. The teacher is MiniLM, the
student its layers 0, 2 and 4 as they were fine-tuned, taught by logits and hidden states. RTE has few pairs: its
teacher learns STS-B and statements made of SQuAD's answers first, and its student reads these and the pairs of MRPC
too. The student of MRPC reads the pairs of STS-B and RTE besides, but for those with a sentence that is judged on. Of
SQuAD v2 there is half of the development set: four fifths of its articles, drawn with a seed, are trained on, the
others are the test; and the same models answer the questions of XQuAD, all of which have an answer. Finished runs are
reused, and so are teachers of other tasks: after a change, name another --out.

    python benchmarks/real_tasks.py --data ../shared/data --out runs/real-tasks --seeds 3
"""

import argparse
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import statements
from distiller import Pipeline, data, distill, tasks, training

WNUT = {"train": "wnut17train.conll", "validation": "emerging.dev.conll", "test": "emerging.test.annotated"}
STATEMENTS = "statements"
PAIR = {"validation": None, "test": "validation"}
FIELDS: dict[str, dict[str, Any]] = {
    "WNUT-17": {"task": "token-classification", "teacher.finetune.epochs": 6, "training.epochs": 10},
    "RTE": {
        "data.splits": PAIR,
        "teacher.finetune.epochs": 10,
        "teacher.finetune.batch_size": 16,
        "teacher.finetune.learning_rate": 4e-5,
        "training.epochs": 4,
    },
    "MRPC": {"data.splits": PAIR, "teacher.finetune.epochs": 4, "training.epochs": 8},
    "STS-B": {"task": "regression", "data.splits": PAIR, "teacher.finetune.epochs": 4, "training.epochs": 8},
    STATEMENTS: {
        "data.text": [*statements.TEXTS],
        "data.splits": {"validation": "validation", "test": "validation"},
        "teacher.finetune.epochs": 4,
    },
    "SQuAD v2": {
        "task": "question-answering",
        "data.max_length": 192,
        "teacher.finetune.epochs": 6,
        "teacher.finetune.learning_rate": 2e-4,
        "training.epochs": 8,
        "training.learning_rate": 2e-4,
    },
}
BEGUN_WITH = {"RTE": ["STS-B", STATEMENTS]}
"""Pairs that are few, after pairs that are many, in this order (Phang et al. 2018, arXiv 1811.01088)."""
FURTHER_PAIRS = {
    "RTE": {"STS-B": "numbers", "MRPC": "classes", STATEMENTS: "classes"},
    "MRPC": {"STS-B": "numbers", "RTE": "classes"},
}
"""What the student learns from besides, without labels; and what these are there."""
OTHER_QUESTIONS = "XQuAD"
TASKS = [name for name in FIELDS if name != STATEMENTS]
BASE = """
teacher: {model: asset:minilm-l6, finetune: {batch_size: 32, learning_rate: 1.0e-4}}
student: {layers: [0, 2, 4], init: teacher}
objective: {intermediate: {type: mse}}
training: {learning_rate: 2.0e-4}
"""


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("runs/real-tasks"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=TASKS, default=TASKS)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.only:
        source = source_of(name, arguments.data, arguments.out)
        of_others = of_other_tasks(name, arguments.data, arguments.out)
        for seed in range(arguments.seeds):
            pipeline = pipeline_of(name, seed, source, of_others)
            out = arguments.out / name / str(seed)
            record = distill(pipeline, out, resume=True).record
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            scores = {side: 100 * record.metrics[side]["test"][record.metrics["primary"]] for side in SIDES}
            common = 100 * most_common(pipeline, record.metrics["primary"])
            rows.append({"data": name, "metric": record.metrics["primary"], "most common": common, **scores})
            if pipeline.task == "question-answering":
                rows += other_questions(pipeline, arguments.data, arguments.out, out)
    print(table(pd.DataFrame(rows)))


SIDES = ("teacher", "student")


def pipeline_of(name: str, seed: int, source: Path, further: dict[str, str]) -> Pipeline:
    """That of a task."""
    settings = {"seed": seed, "data.source": str(source), **FIELDS[name], **further}
    changes = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    return Pipeline.from_text(f"data: {{source: {source}}}\n{BASE}", name, changes)


def of_other_tasks(name: str, folder: Path, out: Path) -> dict[str, str]:
    """Fields of a task whose student reads the pairs of others, and whose teacher may begin with these; else none.

    Teachers that are there already are taken as they are.
    """
    if name not in FURTHER_PAIRS:
        return {}
    begun: dict[str, str] = {}
    for before in BEGUN_WITH.get(name, []):
        target = out / "begun-with" / before
        if not (target / "teacher").exists():
            training.finetune(pipeline_of(before, 0, source_of(before, folder, out), begun), target)
        begun = {"teacher.model": str(target / "teacher")}
    return {**begun, "data.unlabelled": str(further_pairs(name, folder, out))}


def further_pairs(name: str, folder: Path, out: Path) -> Path:
    """The training pairs of other tasks, of which the teacher alone says what they are.

    None has a sentence that the task is judged on: a part of STS-B was taken from where MRPC's pairs are from.
    """
    path = out / "begun-with" / f"pairs-for-{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    judged = data.load(pipeline_of(name, 0, source_of(name, folder, out), {}).data, "classes", 0).test
    held = {letters(text) for pair in judged.texts for text in pair}
    rows: list[tuple[str, ...]] = []
    for other, kind in FURTHER_PAIRS[name].items():
        found = data.load(pipeline_of(other, 0, source_of(other, folder, out), {}).data, kind, 0)
        pairs = [*found.train.texts, *found.validation.texts]
        rows += [pair for pair in pairs if held.isdisjoint(map(letters, pair))]
    pd.DataFrame(rows, columns=statements.TEXTS).to_csv(path, index=False)
    return path


def letters(text: str) -> str:
    """What two texts share that differ in case, spaces and punctuation."""
    return "".join(filter(str.isalnum, text.lower()))


def other_questions(pipeline: Pipeline, folder: Path, out: Path, run: Path) -> list[dict[str, Any]]:
    """What both models score on XQuAD, with the threshold that was settled on SQuAD: it says 'no answer' there too."""
    target = out / "xquad"
    target.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        shutil.copyfile(folder / "squad" / "xquad-en.json", target / f"{split}.json")
    if not (run / "teacher").exists():
        training.finetune(pipeline, run)
    asked = pipeline.replace(data=pipeline.data.replace(source=str(target), splits=data.Splits(test="test")))
    models = {side: training.evaluate(asked, str(run / side), "test").scores for side in SIDES}
    scores = {side: 100 * models[side]["f1"] for side in SIDES}
    return [{"data": OTHER_QUESTIONS, "metric": "f1", "most common": 0.0, **scores}]


def source_of(name: str, folder: Path, out: Path) -> Path:
    """Where a task lies: in `folder` as GLUE has it, or in `out`, where it is written from what `folder` has."""
    return SOURCES[name](folder, out) if name in SOURCES else folder / "glue" / name


def articles(folder: Path, out: Path) -> Path:
    """SQuAD v2 in two parts by its articles."""
    content = json.loads((folder / "squad" / "squad-v2-dev-half.json").read_text(encoding="utf-8"))
    drawn = random.Random(0).sample(content["data"], len(content["data"]))
    cut = round(0.8 * len(drawn))
    target = out / "squad"
    target.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", drawn[:cut]), ("test", drawn[cut:])):
        (target / f"{split}.json").write_text(json.dumps({**content, "data": part}), encoding="utf-8")
    return target


def written(folder: Path, out: Path) -> Path:
    """WNUT-17 under the names of its splits."""
    target = out / "wnut17"
    target.mkdir(parents=True, exist_ok=True)
    for split, name in WNUT.items():
        shutil.copyfile(folder / "wnut17" / name, target / f"{split}.conll")
    return target


def of_answers(folder: Path, out: Path) -> Path:
    """Statements made of SQuAD v2's questions, a twentieth of them to choose the best epoch by.

    Most of their passages are in the other part too: what they say of an epoch is no score.
    """
    content = json.loads((folder / "squad" / "squad-v2-dev-half.json").read_text(encoding="utf-8"))
    made = pd.DataFrame(statements.pairs(content, seed=0))
    cut = round(0.95 * len(made))
    target = out / STATEMENTS
    target.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", made[:cut]), ("validation", made[cut:])):
        part.to_csv(target / f"{split}.csv", index=False)
    return target


def most_common(pipeline: Pipeline, metric: str) -> float:
    """What a model scores that always says the most common class of train, and for numbers their mean."""
    if pipeline.task == "question-answering":
        answers = data.load(pipeline.data, "answers", pipeline.seed).test.labels or []
        return sum(not known for known in answers) / len(answers)
    if pipeline.task != "classification":
        return 0.0  # no entity, or no correlation
    dataset = data.load(pipeline.data, "classes", pipeline.seed)
    (common, _), *_ = Counter(map(str, dataset.train.labels or [])).most_common(1)
    task, classes = tasks.build("classification"), dataset.classes or []
    logits = pd.get_dummies(pd.Categorical([common] * len(dataset.test), categories=classes)).to_numpy(dtype="float32")
    targets = pd.Series(task.targets(dataset.test.labels or [], classes)).to_numpy()
    return task.scores(tasks.Predictions(logits, targets))[metric]


SOURCES: dict[str, Callable[[Path, Path], Path]] = {"WNUT-17": written, "SQuAD v2": articles, STATEMENTS: of_answers}


def table(frame: pd.DataFrame) -> str:
    """Markdown: mean over seeds, least and most."""
    lines = ["| data | metric | most common answer | teacher | student | retention |", "|---|---|---|---|---|---|"]
    for (name, metric), group in frame.groupby(["data", "metric"], sort=False):
        teacher, student = (
            f"{group[side].mean():.1f} ({group[side].min():.1f} to {group[side].max():.1f})" for side in SIDES
        )
        kept = f"{100 * (group['student'] / group['teacher']).mean():.1f} %"
        lines.append(f"| {name} | {metric} | {group['most common'].mean():.1f} | {teacher} | {student} | {kept} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
