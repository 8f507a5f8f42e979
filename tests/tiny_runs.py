"""Runs on a tiny encoder and real questions, some of which die."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, BertTokenizerFast

from distiller import Pipeline
from distiller.schema import validated
from processes import run_script


def pipeline_of(model: Path | str, **changes: Any) -> Pipeline:
    content: dict[str, Any] = {
        "data": {"source": "asset:trec", "limit": 64, "max_length": 24},
        "teacher": {"model": str(model), "finetune": {"epochs": 1, "learning_rate": 1e-3}},
        "student": {"layers": [0, 2]},
        "objective": {"prediction": {"type": "kl"}, "intermediate": {"type": "mse"}},
        "training": {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3},
    }
    for key, value in changes.items():
        part = content.get(key)
        content[key] = {**part, **value} if isinstance(part, dict) and isinstance(value, dict) else value
    return validated(Pipeline, content, "test")


def write_things(path: Path) -> None:
    """Sentences of one to twelve words, in which a colour and the word after it are a thing."""
    rows = []
    for row in range(300):
        words, tags = ["see"] * (1 + row % 3), ["O"] * (1 + row % 3)
        for colour in ("red", "blue")[: row % 4]:
            words += [colour, f"thing{row % 5}", "and"]
            tags += ["B-thing", "I-thing", "O"]
        rows.append({"text": words, "label": tags})
    path.write_text("\n".join(map(json.dumps, rows)))


def write_questions(path: Path, articles: int = 60) -> None:
    """SQuAD v2: who has which thing, of three of six people; a fourth has none."""
    names, things = ["Anna", "Ben", "Carla", "Dan", "Eva", "Finn"], ["red car", "old house", "dog", "blue boat"]
    data = []
    for article in range(articles):
        people = [names[(article + place) % 6] for place in range(4)]
        owned = [things[(article // (place + 1)) % 4] for place in range(3)]
        context, questions = "", []
        for person, thing in zip(people, owned, strict=False):
            start = len(context) + len(f"{person} has a ")
            answers = [{"text": thing, "answer_start": start}]
            asked = {"id": f"{article} {person}", "question": f"What has {person}?", "answers": answers}
            questions.append({**asked, "is_impossible": False})
            context += f"{person} has a {thing}. "
        nothing = {"id": f"{article} {people[3]}", "question": f"What has {people[3]}?", "answers": []}
        questions.append({**nothing, "is_impossible": True})
        data.append({"title": str(article), "paragraphs": [{"context": context, "qas": questions}]})
    path.write_text(json.dumps({"version": "v2.0", "data": data}))


def write_reader_of_letters(folder: Path) -> None:
    """A BERT of two layers, 32 wide, whose tokens are single letters and digits."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(BertConfig(vocab_size=len(vocabulary), **small)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "student" / "model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


DYING = """
import os, sys
from pathlib import Path
from distiller import Pipeline, training
from distiller.training.checkpoints import CheckpointByTime
from distiller.training.trainer import DistillationTrainer
import torch
torch.set_num_threads(1)

pipeline, out, moment, step, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

def die_at_step(self, args, state, control, **_):
    if "distill" in TITLE and state.global_step == step:
        os.kill(os.getpid(), number)

def die_in_checkpoint(self, output_dir):
    if "distill" in TITLE and self.state.global_step >= step:
        os.kill(os.getpid(), number)
    original(self, output_dir)

TITLE = ""
from distiller.training import loop
bar = loop.ProgressBar
def noting(title, metric):
    global TITLE
    TITLE = title
    return bar(title, metric)
loop.ProgressBar = noting
if moment == "step":
    CheckpointByTime.on_step_begin = die_at_step
elif moment == "evaluation":
    evaluate = DistillationTrainer.evaluate
    def die_in_evaluation(self, *arguments, **named):
        if "distill" in TITLE:
            os.kill(os.getpid(), number)
        return evaluate(self, *arguments, **named)
    DistillationTrainer.evaluate = die_in_evaluation
elif moment == "measuring":
    from distiller.training import run
    run._measure = lambda *_, **__: os.kill(os.getpid(), number)
else:
    original = DistillationTrainer._save_rng_state
    DistillationTrainer._save_rng_state = die_in_checkpoint
training.distill(Pipeline.from_yaml(pipeline), out)
"""


def die(pipeline: Pipeline, folder: Path, moment: str, step: int, number: int) -> int:
    pipeline.to_yaml(folder / "given.yaml")
    arguments = [str(folder / "given.yaml"), str(folder / "out"), moment, str(step), str(int(number))]
    return run_script(DYING, *arguments).returncode
