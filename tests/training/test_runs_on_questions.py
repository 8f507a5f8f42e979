"""Runs on questions: records, thresholds, other tokenizers, augmentation, and what the command line leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torchmetrics.functional.text import squad as torchmetrics_squad
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
from typer.testing import CliRunner

from distiller import Pipeline, augment, distill, training
from distiller.augment import Policy, Step
from distiller.cli.main import app
from distiller.errors import UserError
from distiller.training.augmented import augmented, changed_texts, copy_seed, texts_and_what_is_kept
from distiller.training.plan import make_plan
from distiller.training.progress import TextsBar
from tiny_runs import pipeline_of, same, weights_of, write_questions, write_reader_of_letters

pytestmark = pytest.mark.usefixtures("own_cache")
STEPS = [
    {"type": "random", "action": "delete", "p": 0.5},
    {"type": "random", "action": "swap", "p": 0.5},
    {"type": "spelling", "p": 0.5},
]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "squad.json"
    write_questions(path)
    return path


def _pipeline(model: Path, questions: Path, **changes: Any) -> Pipeline:
    data = {"source": str(questions), "max_length": 24, "limit": None, "stride": 6, **changes.pop("data", {})}
    return pipeline_of(model, task="question-answering", data=data, **changes)


def test_a_run_leaves_a_student_that_answers_and_scores_as_it_is_judged(
    tiny_bert: Path, questions: Path, tmp_path: Path
) -> None:
    pipeline = _pipeline(tiny_bert, questions, objective={"hard_label": {"weight": 1.0}})
    result = distill(pipeline, tmp_path / "out")
    record = result.record
    assert record.metrics["primary"] == "f1"
    assert record.data["n_answered"] == sum(record.data[name] for name in ("n_train",)) * 3 // 4
    assert {*record.metrics["student"]["test"]} == {
        "f1",
        "exact_match",
        "answered_f1",
        "answered_exact_match",
        "no_answer",
    }
    evaluation = training.evaluate(pipeline, str(result.student_path), "test")
    assert evaluation.scores == record.metrics["student"]["test"]
    (tmp_path / "pipeline.yaml").write_text(pipeline.to_yaml())
    ran = CliRunner().invoke(
        app,
        ["evaluate", str(result.student_path), str(tmp_path / "pipeline.yaml"), "--out", str(tmp_path / "evaluated")],
    )
    assert ran.exit_code == 0, ran.output
    predictions = json.loads((tmp_path / "evaluated" / "predictions.json").read_text())
    best = json.loads((tmp_path / "evaluated" / "nbest_predictions.json").read_text())
    test = make_plan(pipeline).dataset.test
    assert [*predictions] == [*best] == test.names
    assert all(predictions[name] in {answer["text"] for answer in best[name]} for name in predictions)
    right = {
        name: [answer.text for answer in answers]
        for name, answers in zip(test.names or [], test.labels or [], strict=True)
    }
    answered = [name for name in right if right[name]]
    theirs = torchmetrics_squad(
        [{"prediction_text": predictions[name], "id": name} for name in answered],
        [{"answers": {"text": right[name], "answer_start": [0] * len(right[name])}, "id": name} for name in answered],
    )
    assert 100 * evaluation.scores["answered_f1"] == pytest.approx(float(theirs["f1"]), rel=1e-5)
    assert 100 * evaluation.scores["answered_exact_match"] == pytest.approx(float(theirs["exact_match"]), rel=1e-5)


def test_transformers_reads_the_student_and_finds_the_same_places(
    tiny_bert: Path, questions: Path, tmp_path: Path
) -> None:
    """Of one short text, with transformers alone: the best pair of tokens after the question, or none."""
    pipeline = _pipeline(tiny_bert, questions, data={"max_length": 64})
    result = distill(pipeline, tmp_path / "out")
    model = AutoModelForQuestionAnswering.from_pretrained(result.student_path)
    tokenizer = AutoTokenizer.from_pretrained(result.student_path)
    files = training.evaluate(pipeline, str(result.student_path), "test").files
    threshold = model.config.no_answer_threshold
    test = make_plan(pipeline).dataset.test
    for name, (question, context) in zip(test.names or [], test.texts, strict=True):
        encoded = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
        offsets = encoded.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            output = model(**encoded)
        of_context = [place for place, side in enumerate(encoded.sequence_ids(0)) if side == 1]
        starts, ends = output.start_logits[0], output.end_logits[0]
        # Every word of these texts is one token, so that places are tokens.
        score, first, last = max(
            (float(starts[first] + ends[last]), first, last)
            for first in of_context
            for last in of_context
            if first <= last < first + 30
        )
        none = float(starts[0] + ends[0])
        if abs(none - score - threshold) < 1e-4:
            continue  # rounding decides
        expected = "" if none - score > threshold else context[offsets[first][0] : offsets[last][1]]
        assert files["predictions.json"][name] == expected


@pytest.mark.parametrize(
    "objective",
    [
        {"prediction": {"type": "kl"}, "intermediate": {"type": "mse"}, "hard_label": {"weight": 1.0}},
        {"prediction": {"type": "dkd"}, "intermediate": {"type": "mi"}},
        {"prediction": {"type": "mse"}, "intermediate": None},
    ],
    ids=["kl and mse", "dkd and mi", "mse"],
)
def test_kept_and_live_give_the_same_student(
    tiny_bert: Path, questions: Path, tmp_path: Path, objective: dict[str, Any]
) -> None:
    runs = {}
    for mode in ("on", "off"):
        pipeline = _pipeline(
            tiny_bert, questions, objective=objective, store={"mode": mode, "dtype": "float32"}, training={"epochs": 1}
        )
        runs[mode] = distill(pipeline, tmp_path / mode).record
    assert runs["on"].teacher["outputs"]["kept"]
    assert same(weights_of(tmp_path / "on"), weights_of(tmp_path / "off"))


def test_a_student_of_other_tokens_learns_where_answers_are_word_by_word(
    tiny_bert: Path, questions: Path, tmp_path: Path
) -> None:
    write_reader_of_letters(tmp_path / "letters")
    student = {"model": str(tmp_path / "letters"), "layers": None}
    objective = {"prediction": {"type": "kl"}, "intermediate": {"type": "mse"}}
    weights = []
    for mode in ("on", "off"):
        pipeline = _pipeline(
            tiny_bert,
            questions,
            data={"max_length": 48},
            student=student,
            objective=objective,
            store={"mode": mode, "dtype": "float32"},
        )
        record = distill(pipeline, tmp_path / mode).record
        losses = [entry["raw.prediction.kl"] for entry in record.metrics["history"] if "raw.prediction.kl" in entry]
        assert losses[-1] < losses[0]
        weights.append(weights_of(tmp_path / mode))
    assert same(*weights)


def test_the_answer_stands_in_every_copy_as_it_did(tiny_bert: Path, questions: Path) -> None:
    plan = make_plan(_pipeline(tiny_bert, questions, augmentation={"steps": STEPS, "copies": 2}))
    texts, kept = texts_and_what_is_kept(plan)
    policy: list[Step] = plan.pipeline.augmentation.steps
    with TextsBar("test", 1) as bar:
        after = changed_texts(texts, kept, Policy(policy), [0, 1], copy_seed(0, 0), bar)
    labels = plan.dataset.train.labels or []
    changed = 0
    for (_, before), (_, context), label, span in zip(texts, after, labels, kept, strict=True):
        if not label:
            assert span is None
            continue
        assert isinstance(label, tuple)
        answer = label[0]
        assert span is not None
        piece = before[span[0] : span[1]]
        assert answer.text in piece  # type: ignore[union-attr]
        assert not any(map(str.isspace, before[span[0] - 1 : span[0]].strip()))
        assert f" {piece}" in f" {context}"
        changed += context != before
    assert changed > len(texts) / 2
    copies = augmented(plan)
    assert copies is not None
    assert copies.labels is None
    assert len(copies) > len(texts)


@pytest.mark.parametrize(
    ("context", "answer", "piece"),
    [
        ("in (Paris), once", "Paris", "(Paris),"),
        ("Paris", "Paris", "Paris"),
        ("the post-1990s era", "1990", "post-1990s"),
        ("a\tb\u00a0c", "b", "b"),
    ],
)
def test_what_is_kept_ends_at_white_space(
    tiny_bert: Path, tmp_path: Path, context: str, answer: str, piece: str
) -> None:
    rows = [
        {
            "question": f"{number}?",
            "context": f"{context} {number}" if number else context,
            "answers": {"text": [answer], "answer_start": [context.index(answer)]},
        }
        for number in range(40)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plan = make_plan(_pipeline(tiny_bert, tmp_path / "train.jsonl", augmentation={"steps": STEPS}))
    texts, kept = texts_and_what_is_kept(plan)
    assert {text[span[0] : span[1]] for (_, text), span in zip(texts, kept, strict=True) if span} == {piece}
    assert augment.derived_seed(0, 1) != augment.derived_seed(0, 2)


def test_a_run_with_copies_counts_them(tiny_bert: Path, questions: Path, tmp_path: Path) -> None:
    pipeline = _pipeline(tiny_bert, questions, augmentation={"steps": STEPS[:1]}, training={"epochs": 1})
    record = distill(pipeline, tmp_path / "out").record
    assert 0 < record.data["n_augmented"] <= record.data["n_train"]
    shown = training.preview(pipeline, 5)
    assert all(len(one.after) == 2 and one.said_after.confidence is not None for one in shown)


def test_a_teacher_that_comes_fine_tuned_teaches_and_a_classifier_is_refused(
    tiny_bert: Path, questions: Path, tmp_path: Path
) -> None:
    pipeline = _pipeline(tiny_bert, questions)
    teacher = training.finetune(pipeline, tmp_path / "finetuned")
    assert isinstance(json.loads((teacher / "config.json").read_text())["no_answer_threshold"], float)
    given = _pipeline(teacher, questions, teacher={"finetune": None}, student={"init": "teacher"})
    record = distill(given, tmp_path / "out").record
    validation = training.evaluate(pipeline, str(teacher), "validation").scores
    assert record.metrics["teacher"]["validation"] == pytest.approx(validation)
    config = json.loads((tmp_path / "out" / "student" / "config.json").read_text())
    assert isinstance(config["no_answer_threshold"], float)
    unsettled = tmp_path / "unsettled"
    shutil.copytree(teacher, unsettled)
    stripped = {
        name: value
        for name, value in json.loads((teacher / "config.json").read_text()).items()
        if name != "no_answer_threshold"
    }
    (unsettled / "config.json").write_text(json.dumps(stripped))
    assert training.evaluate(pipeline, str(unsettled), "validation").scores == validation
    with pytest.raises(UserError, match="has no fine-tuned head"):
        distill(_pipeline(tiny_bert, questions, teacher={"finetune": None}), tmp_path / "refused")


def test_a_model_that_always_has_an_answer_never_says_none(tiny_bert: Path, tmp_path: Path) -> None:
    write_questions(tmp_path / "squad.json")
    content = json.loads((tmp_path / "squad.json").read_text())
    for article in content["data"]:
        paragraph = article["paragraphs"][0]
        paragraph["qas"] = [
            {name: value for name, value in question.items() if name != "is_impossible"}
            for question in paragraph["qas"]
            if question["answers"]
        ]
    (tmp_path / "squad.json").write_text(json.dumps(content))
    result = distill(_pipeline(tiny_bert, tmp_path / "squad.json", training={"epochs": 1}), tmp_path / "out")
    assert {*result.record.metrics["student"]["test"]} == {"f1", "exact_match"}
    files = training.evaluate(_pipeline(tiny_bert, tmp_path / "squad.json"), str(result.student_path), "test").files
    assert all(files["predictions.json"].values())


def test_mixing_questions_is_refused(tiny_bert: Path, questions: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"augmentation\.mixup"):
        distill(_pipeline(tiny_bert, questions, augmentation={"mixup": {}}), tmp_path / "out")
