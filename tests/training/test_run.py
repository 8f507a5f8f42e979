"""Whole runs, on a tiny encoder and real questions."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import accuracy_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel

from distiller import Pipeline, UserError, data, distill, runs, training
from distiller.objectives import hidden_loss
from distiller.schema import validated

pytestmark = pytest.mark.usefixtures("own_cache")


def _pipeline(model: Path, **changes: Any) -> Pipeline:
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


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "student" / "model.safetensors")


def _same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_one_seed_gives_one_student_bit_for_bit_and_another_seed_another(tiny_bert: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    distill(_pipeline(tiny_bert), tmp_path / "first")
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    distill(_pipeline(tiny_bert), tmp_path / "again")
    assert torch.equal(torch.random.get_rng_state(), state)
    distill(_pipeline(tiny_bert, seed=1), tmp_path / "other")
    assert _same(_weights(tmp_path / "first"), _weights(tmp_path / "again"))
    assert not _same(_weights(tmp_path / "first"), _weights(tmp_path / "other"))


def test_a_run_leaves_what_the_design_says(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _pipeline(tiny_bert)
    result = distill(pipeline, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "student",
        "run.json",
        "checkpoints",
        "pipeline.yaml",
        "inputs.json",
    }
    content = json.loads((tmp_path / "out" / "run.json").read_text())
    assert content == result.record.model_dump()
    assert content["status"] == "finished"
    assert content["pipeline"] == pipeline.model_dump()
    assert content["data"]["n_train"] == 64
    assert content["metrics"]["primary"] == "accuracy"
    student, teacher = (content["metrics"][name]["test"]["accuracy"] for name in ("student", "teacher"))
    assert content["metrics"]["score"] == student
    assert content["retention"] == pytest.approx(student / teacher)
    assert content["student"]["layers"] == 2
    assert content["student"]["parameters"] == sum(
        weight.numel() for weight in _weights(tmp_path / "out").values() if weight.is_floating_point()
    )
    assert {"finetune_seconds", "store_seconds", "train_seconds", "examples_per_second", "peak_memory_mb"} <= set(
        content["cost"]
    )
    frame = runs.load(tmp_path)
    assert frame["pipeline.objective.intermediate.type"][0] == "mse"


def test_the_saved_student_loads_with_transformers_alone_and_gives_the_recorded_metric(
    tiny_bert: Path, tmp_path: Path
) -> None:
    pipeline = _pipeline(tiny_bert)
    result = distill(pipeline, tmp_path / "out")
    model, report = AutoModelForSequenceClassification.from_pretrained(result.student_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(result.student_path)
    test = data.load(pipeline.data, "classes", pipeline.seed).test
    assert test.labels is not None
    guesses = []
    for (text,) in test.texts:
        with torch.no_grad():
            logits = model(**tokenizer(text, truncation=True, max_length=24, return_tensors="pt")).logits
        guesses.append(model.config.id2label[int(logits.argmax())])
    assert accuracy_score(test.labels, guesses) == pytest.approx(result.record.metrics["score"], abs=1e-9)
    scores = training.evaluate(pipeline, str(result.student_path), "test")
    assert scores == result.record.metrics["student"]["test"]


def test_history_names_each_term_and_the_loss_is_their_sum(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {"hard_label": {"weight": 0.5}, "intermediate": {"type": "cos", "weight": 2.0}}
    history = distill(_pipeline(tiny_bert, objective=objective), tmp_path / "out").record.metrics["history"]
    steps = [entry for entry in history if "loss" in entry]
    assert len(steps) == 3 * 64 // 8
    for entry in steps:
        terms = [entry[name] for name in ("prediction.kl", "hard_label", "intermediate.cos")]
        assert entry["loss"] == pytest.approx(sum(terms), rel=1e-3)
    assert len([entry for entry in history if "eval_accuracy" in entry]) == 3


def test_the_student_is_that_of_the_best_epoch(tiny_bert: Path, tmp_path: Path) -> None:
    metrics = distill(_pipeline(tiny_bert), tmp_path / "out").record.metrics
    epochs = [entry["eval_accuracy"] for entry in metrics["history"] if "eval_accuracy" in entry]
    assert metrics["student"]["validation"]["accuracy"] == max(epochs)


def test_texts_without_labels_are_learned_from_too(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text(
        "".join(json.dumps({"text": f"Who was number {n} ?"}) + "\n" for n in range(40))
    )
    pipeline = _pipeline(tiny_bert, data={"unlabelled": str(tmp_path / "more.jsonl")}, training={"epochs": 1})
    record = distill(pipeline, tmp_path / "out").record
    assert record.data["n_unlabelled"] == 40
    assert max(entry["step"] for entry in record.metrics["history"]) == (64 + 40) // 8


def test_the_teacher_is_fine_tuned_once(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    first = distill(_pipeline(tiny_bert), tmp_path / "first").record
    (kept,) = [path for path in (own_cache / "teachers").iterdir() if path.is_dir()]
    when = (kept / "model.safetensors").stat().st_mtime_ns
    second = distill(_pipeline(tiny_bert, mapping={"type": "last"}), tmp_path / "second").record
    assert (kept / "model.safetensors").stat().st_mtime_ns == when
    assert second.metrics["teacher"] == first.metrics["teacher"]
    assert second.cost["finetune_seconds"] == first.cost["finetune_seconds"] > 0


def test_a_damaged_teacher_in_the_cache_is_made_anew(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    first = distill(_pipeline(tiny_bert), tmp_path / "first")
    (kept,) = [path for path in (own_cache / "teachers").iterdir() if path.is_dir()]
    weights = bytearray((kept / "model.safetensors").read_bytes())
    weights[-100] ^= 0xFF
    (kept / "model.safetensors").write_bytes(weights)
    second = distill(_pipeline(tiny_bert), tmp_path / "second")
    assert second.record.metrics["teacher"] == first.record.metrics["teacher"]
    assert _same(_weights(tmp_path / "first"), _weights(tmp_path / "second"))


def test_a_fine_tuned_teacher_teaches_as_the_pipeline_that_made_it(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(_pipeline(tiny_bert, student={"init": "teacher"}), tmp_path / "first").record
    folder = training.finetune(_pipeline(tiny_bert), tmp_path / "teacher")
    given = _pipeline(folder, student={"init": "teacher"}, teacher={"finetune": None})
    second = distill(given, tmp_path / "second").record
    assert second.metrics["teacher"] == first.metrics["teacher"]
    assert second.metrics["student"] == first.metrics["student"]
    assert second.cost["finetune_seconds"] == 0


def test_widths_may_differ_and_the_projection_is_not_in_the_student(tiny_bert: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow"
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(narrow)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(narrow)
    distill(_pipeline(tiny_bert, student={"layers": None, "model": str(narrow)}), tmp_path / "out")
    assert {name.split(".")[0] for name in _weights(tmp_path / "out")} == {"bert", "classifier"}


def test_tokenizers_may_differ_where_the_objective_does_not_compare_tokens(tiny_bert: Path, tmp_path: Path) -> None:
    cased = tmp_path / "other-tokenizer"
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(cased)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.add_tokens(["What", "##who"])
    BertModel(BertConfig(**{**config.to_dict(), "vocab_size": len(tokenizer)})).save_pretrained(cased)
    tokenizer.save_pretrained(cased)
    student = {"layers": None, "model": str(cased)}
    with pytest.raises(UserError, match=r"objective\.intermediate"):
        distill(_pipeline(tiny_bert, student=student), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    record = distill(
        _pipeline(tiny_bert, student=student, objective={"intermediate": {"type": "pkd"}}), tmp_path / "out"
    )
    assert record.record.status == "finished"


def test_labels_alone_need_no_teacher_in_the_loop(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {"prediction": None, "intermediate": None, "hard_label": {"weight": 1.0}}
    history = distill(_pipeline(tiny_bert, objective=objective), tmp_path / "out").record.metrics["history"]
    assert "hard_label" in history[0]
    assert "prediction.kl" not in history[0]


def test_regression_runs_with_its_own_metrics(tiny_bert: Path, tmp_path: Path) -> None:
    rows = [{"text": f"number {n}", "label": n / 10} for n in range(60)]
    (tmp_path / "numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pipeline = _pipeline(
        tiny_bert,
        task="regression",
        data={"source": str(tmp_path / "numbers.jsonl"), "limit": None},
        objective={"prediction": {"type": "mse"}},
    )
    record = distill(pipeline, tmp_path / "out").record
    assert record.metrics["primary"] == "pearson"
    assert set(record.metrics["student"]["test"]) == {"pearson", "spearman"}


def test_a_loss_that_is_no_number_is_named_with_its_step_and_no_student_is_left(
    tiny_bert: Path, tmp_path: Path
) -> None:
    pipeline = _pipeline(tiny_bert, training={"learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(
        UserError, match=r"objective\.\S+: the loss is not a finite number at step \d+; lower training"
    ) as e:
        distill(pipeline, tmp_path / "out")
    assert "training.learning_rate (now 1e+30)" in str(e.value)
    assert not (tmp_path / "out" / "student").exists()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "failed"
    assert "not a finite number" in record["metrics"]["error"]


def test_what_is_there_is_never_overwritten_unasked(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="is a file; name a folder"):
        distill(_pipeline(tiny_bert), tmp_path / "out" / "thesis.txt")
    with pytest.raises(UserError, match="is not empty; add --resume"):
        distill(_pipeline(tiny_bert), tmp_path / "out")
    with pytest.raises(UserError, match=r"holds no pipeline\.yaml"):
        distill(_pipeline(tiny_bert), tmp_path / "out", resume=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_finished_run_is_given_back_and_another_pipeline_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(_pipeline(tiny_bert), tmp_path / "out")
    assert distill(_pipeline(tiny_bert), tmp_path / "out", resume=True) == first
    with pytest.raises(UserError, match="is another pipeline"):
        distill(_pipeline(tiny_bert, seed=9), tmp_path / "out", resume=True)


# Runs a pipeline and dies of the given signal at a step, or while the checkpoint of a step is half written.
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
    run._measure = lambda *_: os.kill(os.getpid(), number)
else:
    original = DistillationTrainer._save_rng_state
    DistillationTrainer._save_rng_state = die_in_checkpoint
training.distill(Pipeline.from_yaml(pipeline), out)
"""


def _die(pipeline: Pipeline, folder: Path, moment: str, step: int, number: int) -> int:
    pipeline.to_yaml(folder / "given.yaml")
    arguments = [str(folder / "given.yaml"), str(folder / "out"), moment, str(step), str(int(number))]
    return subprocess.run([sys.executable, "-c", DYING, *arguments], env={**os.environ}, check=False).returncode


@pytest.mark.parametrize(
    ("moment", "step", "minutes"),
    [
        pytest.param("step", 3, 10.0, id="before the first checkpoint"),
        pytest.param("step", 13, 10.0, id="in the second epoch"),
        pytest.param("step", 13, 1e-9, id="in an epoch, a checkpoint after each step"),
        pytest.param("checkpoint", 16, 10.0, id="while a checkpoint is written"),
        pytest.param("checkpoint", 24, 10.0, id="while the last checkpoint is written"),
        pytest.param("evaluation", 8, 1e-9, id="in the evaluation of an epoch, a checkpoint after each step"),
        pytest.param("checkpoint", 8, 1e-9, id="while an epoch's checkpoint is written, one after each step"),
    ],
)
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(
    tiny_bert: Path, tmp_path: Path, moment: str, step: int, minutes: float
) -> None:
    pipeline = _pipeline(tiny_bert, training={"checkpoint_minutes": minutes})
    assert _die(pipeline, tmp_path, moment, step, signal.SIGKILL) == -signal.SIGKILL
    assert not (tmp_path / "out" / "run.json").exists()
    resumed = distill(pipeline, tmp_path / "out", resume=True).record
    whole = distill(pipeline, tmp_path / "whole").record
    assert _same(_weights(tmp_path / "out"), _weights(tmp_path / "whole"))
    assert resumed.metrics["student"] == whole.metrics["student"]


def test_an_interrupted_run_says_so_in_its_record_and_can_go_on(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _pipeline(tiny_bert)
    assert _die(pipeline, tmp_path, "step", 13, signal.SIGINT) != 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "stopped"
    assert distill(pipeline, tmp_path / "out", resume=True).record.status == "finished"


def test_a_killed_fine_tuning_goes_on_too(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    pipeline = _pipeline(tiny_bert, teacher={"finetune": {"epochs": 3, "batch_size": 8}})
    pipeline.to_yaml(tmp_path / "given.yaml")
    script = DYING.replace('"distill" in TITLE', '"teacher" in TITLE')
    arguments = [str(tmp_path / "given.yaml"), str(tmp_path / "out"), "step", "13", str(int(signal.SIGKILL))]
    subprocess.run([sys.executable, "-c", script, *arguments], env={**os.environ}, check=False)
    (unfinished,) = (own_cache / "teachers").glob("*.checkpoints")
    assert [path.name for path in unfinished.iterdir()] == ["checkpoint-8"]
    resumed = distill(pipeline, tmp_path / "out", resume=True).record
    assert not unfinished.exists()
    for path in (own_cache / "teachers").iterdir():
        if path.is_dir():
            (path / "teacher.json").unlink()
    whole = distill(pipeline, tmp_path / "whole").record
    assert resumed.metrics["teacher"] == whole.metrics["teacher"]
    assert _same(_weights(tmp_path / "out"), _weights(tmp_path / "whole"))


def test_the_projection_is_in_checkpoints_so_that_resume_is_exact(tiny_bert: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow"
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(narrow)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(narrow)
    pipeline = _pipeline(tiny_bert, student={"layers": None, "model": str(narrow)})
    assert _die(pipeline, tmp_path, "step", 13, signal.SIGKILL) == -signal.SIGKILL
    distill(pipeline, tmp_path / "out", resume=True)
    distill(pipeline, tmp_path / "whole")
    assert _same(_weights(tmp_path / "out"), _weights(tmp_path / "whole"))


def test_bfloat16_learns_too(tiny_bert: Path, tmp_path: Path) -> None:
    record = distill(_pipeline(tiny_bert, training={"precision": "bfloat16"}), tmp_path / "out").record
    losses = [entry["loss"] for entry in record.metrics["history"] if "loss" in entry]
    assert np.isfinite(losses).all()
    assert _weights(tmp_path / "out")["classifier.weight"].dtype is torch.float32


def test_a_teacher_of_other_classes_is_refused_before_anything_is_written(tiny_bert: Path, tmp_path: Path) -> None:
    folder = training.finetune(_pipeline(tiny_bert), tmp_path / "teacher")
    given = _pipeline(folder, teacher={"finetune": None}, data={"source": "asset:sms-spam"})
    with pytest.raises(UserError, match=r"teacher\.model: it has 6 classes"):
        distill(given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_teacher_decides_the_order_of_the_classes(tiny_bert: Path, tmp_path: Path) -> None:
    """A teacher whose logits are in another order than the data's classes, with the same answers, is as good."""
    folder = training.finetune(_pipeline(tiny_bert), tmp_path / "teacher")
    straight = distill(_pipeline(folder, teacher={"finetune": None}), tmp_path / "straight").record
    turned = tmp_path / "turned"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    names = [model.config.id2label[index] for index in range(6)]
    with torch.no_grad():
        model.classifier.weight.copy_(model.classifier.weight.flip(0))
        model.classifier.bias.copy_(model.classifier.bias.flip(0))
    model.config.id2label = dict(enumerate(reversed(names)))
    model.config.label2id = {name: index for index, name in enumerate(reversed(names))}
    model.save_pretrained(turned)
    AutoTokenizer.from_pretrained(folder).save_pretrained(turned)
    other = distill(_pipeline(turned, teacher={"finetune": None}), tmp_path / "other")
    for split in ("validation", "test"):
        assert other.record.metrics["teacher"][split] == pytest.approx(straight.metrics["teacher"][split])
    student = AutoModelForSequenceClassification.from_pretrained(other.student_path)
    assert [student.config.id2label[index] for index in range(6)] == [*reversed(names)]


def test_a_run_killed_after_its_last_step_only_measures(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _pipeline(tiny_bert)
    whole = distill(pipeline, tmp_path / "out").record
    before = _weights(tmp_path / "out")
    (tmp_path / "out" / "run.json").unlink()
    shutil.rmtree(tmp_path / "out" / "student")
    again = distill(pipeline, tmp_path / "out", resume=True).record
    assert _same(_weights(tmp_path / "out"), before)
    assert again.metrics["student"] == whole.metrics["student"]
    assert again.metrics["history"] == whole.metrics["history"]
    assert again.cost["train_seconds"] == whole.cost["train_seconds"]


def test_a_run_goes_on_wherever_its_folder_has_gone(tiny_bert: Path, tmp_path: Path) -> None:
    """The best epoch is not the last, and all that is left to do is to load and measure it."""
    pipeline = _pipeline(tiny_bert, training={"learning_rate": 3e-2})
    whole = distill(pipeline, tmp_path / "whole").record
    scores = [entry["eval_accuracy"] for entry in whole.metrics["history"] if "eval_accuracy" in entry]
    assert scores.index(max(scores)) < len(scores) - 1
    assert _die(pipeline, tmp_path, "measuring", 0, signal.SIGKILL) == -signal.SIGKILL
    shutil.rmtree(tmp_path / "out" / "student")
    (tmp_path / "out").rename(tmp_path / "moved")
    distill(pipeline, tmp_path / "moved", resume=True)
    assert _same(_weights(tmp_path / "moved"), _weights(tmp_path / "whole"))


def _written(path: Path, rows: int) -> Path:
    names = ["ant", "bee"]
    path.write_text("text,label\n" + "".join(f"{names[row % 2]} {row},{names[row % 2]}\n" for row in range(rows)))
    return path


@pytest.mark.parametrize("moment", ["step", "finished"])
def test_a_run_does_not_go_on_with_other_data(tiny_bert: Path, tmp_path: Path, moment: str) -> None:
    source = str(_written(tmp_path / "animals.csv", 120))
    pipeline = _pipeline(tiny_bert, data={"source": source})
    if moment == "step":
        assert _die(pipeline, tmp_path, moment, 13, signal.SIGKILL) == -signal.SIGKILL
    else:
        distill(pipeline, tmp_path / "out")
    _written(tmp_path / "animals.csv", 99)
    with pytest.raises(UserError, match="the data changed since this run was started"):
        distill(pipeline, tmp_path / "out", resume=True)


def test_a_run_does_not_go_on_with_another_teacher_under_the_same_name(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_bert, folder)
    pipeline = _pipeline(folder)
    distill(pipeline, tmp_path / "out")
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight + 0.01 for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="the teacher changed since this run was started"):
        distill(pipeline, tmp_path / "out", resume=True)


def test_a_finished_run_whose_student_was_removed_makes_it_again(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(_pipeline(tiny_bert), tmp_path / "out")
    before = _weights(tmp_path / "out")
    shutil.rmtree(first.student_path)
    distill(_pipeline(tiny_bert), tmp_path / "out", resume=True)
    assert _same(_weights(tmp_path / "out"), before)


def test_what_killed_processes_left_half_written_is_no_run(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".pipeline.yaml.x1y2").write_text("task: cl")
    assert distill(_pipeline(tiny_bert), tmp_path / "out", resume=True).record.status == "finished"


def test_finetune_overwrites_no_teacher(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "teacher").mkdir(parents=True)
    (tmp_path / "out" / "teacher" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="teacher: is there already"):
        training.finetune(_pipeline(tiny_bert), tmp_path / "out")
    assert (tmp_path / "out" / "teacher" / "notes.txt").read_text() == "mine"


def test_evaluation_needs_no_teacher_and_refuses_texts_longer_than_the_model_reads(
    tiny_bert: Path, tmp_path: Path
) -> None:
    result = distill(_pipeline(tiny_bert), tmp_path / "out")
    pipeline = _pipeline(tmp_path / "gone", teacher={"finetune": None})
    assert training.evaluate(pipeline, str(result.student_path), "test") == result.record.metrics["student"]["test"]
    with pytest.raises(UserError, match=r"data\.max_length: 100000 is more than the \d+ tokens"):
        training.evaluate(_pipeline(tiny_bert, data={"max_length": 100000}), str(result.student_path), "test")


def test_an_infinite_gradient_leaves_a_record_all_the_same(tiny_bert: Path, tmp_path: Path) -> None:
    """The norm is infinite in float32 where the loss is not."""
    objective = {"prediction": {"type": "mse", "weight": 1e37}, "intermediate": None}
    record = distill(_pipeline(tiny_bert, objective=objective, training={"epochs": 1}), tmp_path / "out").record
    steps = [entry for entry in record.metrics["history"] if "loss" in entry]
    assert record.status == "finished"
    assert any("grad_norm" not in entry for entry in steps)


def test_terms_of_no_weight_are_asked_nothing(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {
        "prediction": {"type": "kl", "weight": 0},
        "hard_label": {"weight": 1.0},
        "intermediate": {"type": "mse", "weight": 0},
    }
    pipeline = _pipeline(tiny_bert, objective=objective, mapping={"type": "explicit", "pairs": [[9, 9]]})
    record = distill(pipeline, tmp_path / "out").record
    assert record.status == "finished"
    assert not [name for entry in record.metrics["history"] for name in entry if name.startswith("intermediate")]


def test_the_teacher_in_the_cache_is_that_of_its_tokenizer(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    distill(_pipeline(tiny_bert, training={"epochs": 1}), tmp_path / "first")
    cased = tmp_path / "cased"
    shutil.copytree(tiny_bert, cased)
    AutoTokenizer.from_pretrained(tiny_bert, do_lower_case=False).save_pretrained(cased)
    distill(_pipeline(cased, training={"epochs": 1}), tmp_path / "second")
    assert len([path for path in (own_cache / "teachers").iterdir() if path.is_dir()]) == 2


LEARNED = {
    "mi and emd": {
        "mapping": {"type": "emd"},
        "objective": {"balance": "ema", "intermediate": {"type": "mi", "alpha": 0.9}},
    },
    "tokens and attention": {
        "mapping": {"type": "attention"},
        "objective": {"hard_label": {"weight": 1.0}, "intermediate": {"type": "infonce", "feature": "tokens"}},
    },
}


@pytest.mark.parametrize("name", LEARNED)
def test_what_an_objective_learns_is_in_checkpoints_so_that_resume_is_exact_and_not_in_the_student(
    tiny_bert: Path, tmp_path: Path, name: str
) -> None:
    """Killed within an epoch, after a checkpoint at each step; the last batch of an epoch is of one text."""
    pipeline = _pipeline(
        tiny_bert, data={"limit": 57}, training={"epochs": 2, "checkpoint_minutes": 1e-9}, **LEARNED[name]
    )
    assert _die(pipeline, tmp_path, "step", 13, signal.SIGKILL) == -signal.SIGKILL
    resumed = distill(pipeline, tmp_path / "out", resume=True).record
    whole = distill(pipeline, tmp_path / "whole").record
    assert _same(_weights(tmp_path / "out"), _weights(tmp_path / "whole"))
    assert resumed.metrics["mutual_information"] == whole.metrics["mutual_information"]
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "student")
    assert _weights(tmp_path / "out").keys() == plain.state_dict().keys()


def test_the_record_has_the_mutual_information_of_each_layer_pair_over_training(
    tiny_bert: Path, tmp_path: Path
) -> None:
    objective = {"intermediate": {"type": "infonce", "critic": {"type": "bilinear"}}, "balance": "ema"}
    metrics = distill(_pipeline(tiny_bert, objective=objective), tmp_path / "out").record.metrics
    steps = [entry for entry in metrics["history"] if "loss" in entry]
    pairs = [name.removeprefix("mutual_information.") for name in steps[0] if name.startswith("mutual_information.")]
    depth = AutoModelForSequenceClassification.from_pretrained(tiny_bert).config.num_hidden_layers
    assert pairs == ["0-0", f"1-{depth // 2}", f"2-{depth}"]
    for entry in steps:
        nats = [entry[f"mutual_information.{pair}"] for pair in pairs]
        assert entry["raw.intermediate.infonce"] == pytest.approx(np.log(8) - np.mean(nats), abs=1e-4)
        assert entry["loss"] == pytest.approx(entry["prediction.kl"] + entry["intermediate.infonce"], rel=1e-3)
    assert [*metrics["mutual_information"]] == pairs
    assert all(nats <= np.log(8) for nats in metrics["mutual_information"].values())
    of_one = [entry[f"mutual_information.{pairs[1]}"] for entry in steps]
    assert np.mean(of_one[-4:]) > np.mean(of_one[:4])


def test_critics_learn_at_their_own_rate(tiny_bert: Path, tmp_path: Path) -> None:
    drawn = hidden_loss("mi")
    width = int(AutoModelForSequenceClassification.from_pretrained(tiny_bert).config.hidden_size)
    drawn.draw(width, width, seed=0)
    expected = {f"objective.between_layers.losses.0.{name}": value for name, value in drawn.state_dict().items()}
    moved = []
    for factor in (1e-12, 1.0, 10.0):
        objective = {"intermediate": {"type": "mi", "learning_rate_factor": factor}}
        out = tmp_path / str(factor)
        distill(_pipeline(tiny_bert, objective=objective, training={"epochs": 1}), out)
        kept = load_file(out / "checkpoints" / "checkpoint-8" / "model.safetensors")
        moved.append(max(float((kept[name] - value).abs().max()) for name, value in expected.items()))
    assert moved[0] < 1e-6
    assert moved[2] > 3 * moved[1] > 1e-3


def test_tokenizers_may_differ_for_bounds_on_the_means_of_texts(tiny_bert: Path, tmp_path: Path) -> None:
    """Each side's mean is over its own tokens."""
    other = tmp_path / "other"
    shutil.copytree(tiny_bert, other)
    AutoTokenizer.from_pretrained(tiny_bert, do_lower_case=False).save_pretrained(other)
    pipeline = _pipeline(
        tiny_bert,
        student={"layers": None, "model": str(other)},
        objective={"intermediate": {"type": "mi", "feature": "mean"}},
        training={"epochs": 1},
    )
    assert distill(pipeline, tmp_path / "out").record.status == "finished"


@pytest.mark.parametrize(
    "intermediate",
    [
        {"type": "attention-mse"},
        {"type": "attention-kl"},
        {"type": "minilm", "relation_heads": 4},
        {"type": "cka"},
        {"type": "rkd"},
        {"type": "gram"},
        {"type": "nst"},
        {"type": "vid"},
        {"type": "simple-contrastive", "queue": 16},
    ],
    ids=lambda intermediate: intermediate["type"],
)
def test_every_loss_between_layers_trains_a_student_that_keeps_nothing_of_it(
    tiny_bert: Path, tmp_path: Path, intermediate: dict[str, Any]
) -> None:
    objective = {"prediction": None, "intermediate": intermediate}
    result = distill(_pipeline(tiny_bert, objective=objective, training={"epochs": 2}), tmp_path / "out")
    assert result.record.status == "finished"
    losses = [entry["loss"] for entry in result.record.metrics["history"] if "loss" in entry]
    assert np.isfinite(losses).all()
    _, report = AutoModelForSequenceClassification.from_pretrained(result.student_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]


def test_what_a_student_holds_is_measured_on_validation_with_the_critics_of_its_checkpoint(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """Recomputed from the checkpoint: student, critics and teacher on batches of eight validation texts."""
    pipeline = _pipeline(
        tiny_bert,
        data={"limit": 60},
        student={"init": "teacher"},
        objective={"prediction": None, "intermediate": {"type": "infonce", "feature": "mean"}},
        mapping={"type": "explicit", "pairs": [[2, 2]]},
        training={"epochs": 1},
    )
    folder = training.finetune(pipeline, tmp_path / "teacher")
    record = distill(pipeline, tmp_path / "out").record
    dataset = data.load(pipeline.data, "classes", pipeline.seed)
    models = [AutoModelForSequenceClassification.from_pretrained(p) for p in (tmp_path / "out" / "student", folder)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    critic = hidden_loss("infonce", feature="mean")
    critic.draw(*(int(model.config.hidden_size) for model in models), seed=0)
    kept = load_file(tmp_path / "out" / "checkpoints" / "checkpoint-8" / "model.safetensors")
    prefix = "objective.between_layers.losses.0."
    critic.load_state_dict({n.removeprefix(prefix): value for n, value in kept.items() if n.startswith(prefix)})
    texts = [text for (text,) in dataset.validation.texts]
    estimates = []
    for start in range(0, len(texts) - 7, 8):
        batch = tokenizer(texts[start : start + 8], truncation=True, max_length=24, padding=True, return_tensors="pt")
        with torch.no_grad():
            states = [model(**batch, output_hidden_states=True).hidden_states[2] for model in models]
            estimates.append(np.log(8) - critic(*states, batch["attention_mask"]).item())
    assert record.metrics["mutual_information"]["2-2"] == pytest.approx(np.mean(estimates), abs=1e-4)


def test_weights_of_pairs_that_vary_are_in_the_record(tiny_bert: Path, tmp_path: Path) -> None:
    history = distill(
        _pipeline(tiny_bert, mapping={"type": "emd"}, training={"epochs": 1}), tmp_path / "out"
    ).record.metrics["history"]
    for entry in (entry for entry in history if "loss" in entry):
        weights = [value for name, value in entry.items() if name.startswith("mapping.")]
        assert sum(weights) == pytest.approx(1.0, abs=1e-5)
    assert not any("mutual_information" in name for entry in history for name in entry)


def test_a_mapping_of_nothing_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _pipeline(tiny_bert, mapping={"type": "emd"}, objective={"intermediate": None})
    with pytest.raises(UserError, match="mapping: emd has no loss between layers to map"):
        distill(pipeline, tmp_path / "out")


def test_what_differs_from_the_run_to_resume_is_named(tiny_bert: Path, tmp_path: Path) -> None:
    distill(_pipeline(tiny_bert), tmp_path / "out")
    with pytest.raises(UserError, match=r"training\.batch_size was 8, now 4"):
        distill(_pipeline(tiny_bert, training={"batch_size": 4}), tmp_path / "out", resume=True)


def test_a_teacher_that_is_fine_tuned_is_not_fine_tuned_again(tiny_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"teacher\.finetune: is null"):
        training.finetune(_pipeline(tiny_bert, teacher={"finetune": None}), tmp_path / "out")


def test_a_queue_that_would_hold_the_whole_epoch_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {"intermediate": {"type": "simple-contrastive", "queue": 33}}
    with pytest.raises(
        UserError, match=r"objective\.intermediate\.queue: 33 is more than half of the 64 training texts"
    ):
        distill(_pipeline(tiny_bert, objective=objective), tmp_path / "out")


def test_a_launcher_of_several_processes_is_refused(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="a run is one process"):
        distill(_pipeline(tiny_bert), tmp_path / "out")
