"""Several teachers: how what they say becomes one answer, and runs that learn from it, kept or live."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.metrics import accuracy_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from distiller import Pipeline, UserError, data, distill, models, tasks, training
from distiller.runs import RunRecord
from distiller.store import FrozenTeacher
from distiller.store.form import LOGITS, restored_logits
from distiller.store.shelf import Shelf
from distiller.tasks import DIGEST_BYTES
from distiller.training.ensemble import Ensemble, weights
from tiny_runs import (
    pipeline_of,
    same,
    weights_of,
    write_questions,
    write_reader_of_letters,
    write_things,
)

pytestmark = pytest.mark.usefixtures("own_cache")


def losses(record: RunRecord) -> list[float]:
    return [entry["loss"] for entry in record.metrics["history"] if "loss" in entry]


def finetuned(tiny_bert: Path, folder: Path, seed: int = 0, **changes: Any) -> str:
    """A teacher that names its classes."""
    return str(training.finetune(pipeline_of(tiny_bert, seed=seed, **changes), folder / str(seed)))


def with_classes_reversed(folder: str, out: Path) -> str:
    """The same teacher, whose outputs stand in another order."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    names = [model.config.id2label[number] for number in range(model.config.num_labels)][::-1]
    with torch.no_grad():
        model.classifier.weight.copy_(model.classifier.weight.flip(0).clone())
        model.classifier.bias.copy_(model.classifier.bias.flip(0).clone())
    model.config.id2label = dict(enumerate(names))
    model.config.label2id = {name: number for number, name in enumerate(names)}
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)
    return str(out)


def test_what_is_taught_of_a_text_is_the_same_beside_a_longer_one(tmp_path: Path) -> None:
    """Of answers, where a teacher's cost is of all places of a text, of which the longer one has more."""
    generator = torch.Generator().manual_seed(0)
    digests = [b"a" * DIGEST_BYTES, b"b" * DIGEST_BYTES]
    columns = []
    for teacher in range(2):
        shelf = Shelf(tmp_path / str(teacher))
        shelf.add(digests, [torch.tensor([3, 40])], [torch.randn(43, 2, generator=generator) - 5])
        columns.append({LOGITS: shelf.column(digests)})
    ensemble = Ensemble([None, None], tasks.build("question-answering").costs)
    alone, beside = (
        ensemble([restored_logits(column, texts, of_words=True) for column in columns], None) for texts in ([0], [0, 1])
    )
    assert torch.allclose(beside[0, :3], alone[0])
    assert beside[0, 3:].isnan().all()


COSTS = st.lists(st.floats(0, 60, width=32), min_size=2, max_size=6)


@given(COSTS)
def test_weights_add_to_one_and_who_costs_less_weighs_more(costs: list[float]) -> None:
    found = weights(torch.tensor(costs).unsqueeze(-1)).squeeze(-1)
    assert bool((found >= 0).all())
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)
    order = np.argsort(costs, kind="stable")
    assert bool((found[order].diff() <= 1e-6).all())


def test_teachers_are_weighed_text_by_text_as_ca_mkd_has_it() -> None:
    """Three texts; nobody has labelled the last."""
    logits = 3 * np.random.default_rng(0).normal(size=(3, 3, 4)).astype(np.float32)
    labels = np.array([1, 3, -100])
    said = Ensemble([None] * 3, tasks.build("classification").costs)(
        [torch.from_numpy(one) for one in logits], torch.from_numpy(labels)
    )
    for text, label in enumerate(labels):
        logs = log_softmax(logits[:, text], axis=1)
        cost = -logs[:, label] if label >= 0 else -(np.exp(logs) * logs).sum(axis=1)
        weight = (1 - softmax(cost)) / 2
        assert said[text].tolist() == pytest.approx((weight[:, None] * logits[:, text]).sum(axis=0), rel=1e-4)


def test_the_mean_is_that_of_outputs_for_the_same_class() -> None:
    first, second = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    said = Ensemble([None, [2, 0, 1]])([first, second], None)
    assert np.allclose(said, (first.numpy() + second.numpy()[:, [2, 0, 1]]) / 2)
    assert Ensemble([None])([first], None) is first


@pytest.mark.parametrize(
    ("weighting", "changes"),
    [
        ("mean", {}),
        ("per-example", {"objective": {"intermediate": {"type": "mi", "feature": "mean"}}}),
        (
            "per-example",
            {"augmentation": {"steps": [{"type": "random", "p": 0.3}]}, "data": {"unlabelled": "rest", "limit": 40}},
        ),
        ("per-example", {"augmentation": {"mixup": {"beta": 0.4, "teacher": "interpolate"}}}),
    ],
    ids=["tokens", "mutual information", "unlabelled", "mixup"],
)
def test_kept_and_live_give_the_same_student(
    tiny_bert: Path, tmp_path: Path, weighting: str, changes: dict[str, Any]
) -> None:
    if "data" in changes:
        changes = {**changes, "data": {**changes["data"], "source": questions(tmp_path / "questions.jsonl")}}
    for mode in ("off", "on"):
        pipeline = pipeline_of(
            tiny_bert,
            **changes,
            teacher={"models": [str(tiny_bert)] * 2, "weighting": weighting},
            store={"mode": mode, "dtype": "float32"},
        )
        distill(pipeline, tmp_path / mode)
    kept, live = (RunRecord.read(tmp_path / mode) for mode in ("on", "off"))
    assert kept.teacher["outputs"]["kept"]
    assert not live.teacher["outputs"]["kept"]
    assert losses(kept) == losses(live)
    assert same(weights_of(tmp_path / "on"), weights_of(tmp_path / "off"))
    assert kept.metrics.get("mutual_information") == live.metrics.get("mutual_information")


def questions(path: Path) -> str:
    """Sixty of TREC's, so that the rest of them is small."""
    found = data.load(pipeline_of("any").data.replace(limit=60), "classes", 0)
    rows = zip(found.train.texts, found.train.labels or [], strict=True)
    path.write_text("\n".join(json.dumps({"text": text[0], "label": label}) for text, label in rows))
    return str(path)


@pytest.mark.parametrize("task", ["token-classification", "question-answering"])
def test_kept_and_live_give_the_same_student_where_words_are_asked_for(
    tiny_bert: Path, tmp_path: Path, task: str
) -> None:
    source = tmp_path / ("things.jsonl" if task == "token-classification" else "questions.json")
    (write_things if task == "token-classification" else write_questions)(source)
    for mode in ("off", "on"):
        pipeline = pipeline_of(
            tiny_bert,
            task=task,
            data={"source": str(source), "limit": 51, "max_length": 24},
            teacher={"models": [str(tiny_bert)] * 2, "weighting": "per-example"},
            store={"mode": mode, "dtype": "float32"},
        )
        distill(pipeline, tmp_path / mode)
    kept, live = (RunRecord.read(tmp_path / mode) for mode in ("on", "off"))
    assert kept.teacher["outputs"]["kept"]
    assert losses(kept) == losses(live)
    assert same(weights_of(tmp_path / "on"), weights_of(tmp_path / "off"))
    assert np.isfinite(losses(kept)).all()


def test_an_ensemble_of_one_is_that_teacher(tiny_bert: Path, tmp_path: Path) -> None:
    for name, teacher in (("one", {}), ("ensemble", {"models": [str(tiny_bert)]})):
        distill(pipeline_of(tiny_bert, teacher=teacher), tmp_path / name)
    assert same(weights_of(tmp_path / "one"), weights_of(tmp_path / "ensemble"))
    one, ensemble = (RunRecord.read(tmp_path / name) for name in ("one", "ensemble"))
    assert losses(one) == losses(ensemble)
    assert one.retention == ensemble.retention
    assert ensemble.teacher["models"] == [str(tiny_bert)]
    assert {**ensemble.teacher, "outputs": one.teacher["outputs"]} == {**one.teacher, "models": [str(tiny_bert)]}


def test_teachers_of_one_checkpoint_differ_and_the_first_is_the_one_that_taught_alone(
    tiny_bert: Path, tmp_path: Path, own_cache: Path
) -> None:
    def made() -> set[Path]:
        return {path.parent for path in own_cache.glob("teachers/*/teacher.json")}

    distill(pipeline_of(tiny_bert), tmp_path / "alone")
    alone = made()
    record = distill(pipeline_of(tiny_bert, teacher={"models": [str(tiny_bert)] * 3}), tmp_path / "ensemble").record
    assert alone < made()
    assert len(made()) == 3
    loaded = [models.load_classifier(str(folder), {}, "test", 0) for folder in made()]
    assert len({models.fingerprint(model) for model in loaded}) == 3
    of_one = RunRecord.read(tmp_path / "alone")
    assert record.metrics["members"][0] == of_one.metrics["teacher"]
    assert record.teacher["model"] == " + ".join([str(tiny_bert)] * 3)
    for name in ("parameters", "size_mb"):
        assert record.teacher[name] == pytest.approx(3 * of_one.teacher[name], rel=1e-3)
    assert record.student["size_ratio"] == record.student["parameters"] / record.teacher["parameters"]


def test_an_ensemble_scores_what_the_mean_of_its_logits_does(tiny_bert: Path, tmp_path: Path) -> None:
    """Computed anew with transformers; the outputs of one teacher stand in another order."""
    first = finetuned(tiny_bert, tmp_path, 0)
    second = with_classes_reversed(finetuned(tiny_bert, tmp_path, 1), tmp_path / "reversed")
    pipeline = pipeline_of(first, teacher={"models": [first, second], "finetune": None})
    record = distill(pipeline, tmp_path / "out").record
    test = data.load(pipeline.data, "classes", pipeline.seed).test
    logits = []
    for folder in (first, second):
        model, tokenizer = (
            AutoModelForSequenceClassification.from_pretrained(folder),
            AutoTokenizer.from_pretrained(folder),
        )
        read = tokenizer(
            [text[0] for text in test.texts], truncation=True, max_length=24, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            said = model.eval()(**read).logits.numpy()
        columns = [model.config.label2id[name] for name in sorted(model.config.label2id)]
        logits.append(said[:, columns])
    names = np.array(sorted(model.config.label2id))
    for scores, said in (
        (record.metrics["teacher"], np.mean(logits, axis=0)),
        *zip(record.metrics["members"], logits, strict=True),
    ):
        assert scores["test"]["accuracy"] == pytest.approx(accuracy_score(test.labels, names[said.argmax(axis=1)]))
    assert record.retention == record.metrics["score"] / record.metrics["teacher"]["test"]["accuracy"]


def test_the_order_of_a_teachers_classes_changes_nothing(tiny_bert: Path, tmp_path: Path) -> None:
    first, second = finetuned(tiny_bert, tmp_path, 0), finetuned(tiny_bert, tmp_path, 1)
    reordered = with_classes_reversed(second, tmp_path / "reversed")
    found = []
    for name, other in (("one", second), ("other", reordered)):
        teacher = {"models": [first, other], "finetune": None}
        pipeline = pipeline_of(first, teacher=teacher, store={"dtype": "float32"})
        found.append(losses(distill(pipeline, tmp_path / name).record))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_entries_of_the_store_are_each_teachers_own(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text is asked of each to know the size."""
    teachers = [finetuned(tiny_bert, tmp_path, seed) for seed in (0, 1)]

    def run(name: str, chosen: list[str], **changes: Any) -> int:
        asked.clear()
        distill(pipeline_of(chosen[0], teacher={"models": chosen, "finetune": None}, **changes), tmp_path / name)
        return sum(asked)

    asked, answer = list[int](), FrozenTeacher.__call__

    def counting(self: FrozenTeacher, inputs: Any, texts: int, length: int) -> Any:
        asked.append(texts)
        return answer(self, inputs, texts, length)

    monkeypatch.setattr(FrozenTeacher, "__call__", counting)
    assert run("first", teachers[:1]) == 65
    assert run("both", teachers) == 66  # of the second
    assert run("again", teachers) == 2
    logits = {"objective": {"intermediate": None}}
    assert run("second", teachers[1:], **logits) == 1
    assert run("swapped", teachers[::-1], **logits) == 2


def test_each_teacher_reads_with_its_own_tokenizer(tiny_bert: Path, tmp_path: Path) -> None:
    write_reader_of_letters(tmp_path / "letters")
    for mode in ("off", "on"):
        pipeline = pipeline_of(
            tiny_bert,
            teacher={"models": [str(tiny_bert), str(tmp_path / "letters")]},
            store={"mode": mode, "dtype": "float32"},
        )
        distill(pipeline, tmp_path / mode)
    kept, live = (RunRecord.read(tmp_path / mode) for mode in ("on", "off"))
    assert losses(kept) == losses(live)
    assert same(weights_of(tmp_path / "on"), weights_of(tmp_path / "off"))
    sizes = [
        models.describe(AutoModelForSequenceClassification.from_pretrained(folder, num_labels=6))["parameters"]
        for folder in (tiny_bert, tmp_path / "letters")
    ]
    assert kept.teacher["parameters"] == sum(sizes)
    things = tmp_path / "things.jsonl"
    write_things(things)
    with pytest.raises(
        UserError, match=r"^teacher\.models\.1: '.*letters' has another tokenizer than .*; give models of one$"
    ):
        training.check(pipeline.replace(task="token-classification", data={"source": str(things), "max_length": 12}))


def test_texts_that_are_mixed_before_they_are_read_have_no_label(tiny_bert: Path) -> None:
    """By hand: both teachers on embeddings mixed by hand, weighed by the entropy of what they say."""
    from distiller.objectives import Objective, ObjectiveConfig
    from distiller.schema import validated
    from distiller.training.distillation import Distillation

    torch.manual_seed(0)
    student, *teachers = (AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval() for _ in range(3))
    for model in (student, *teachers):
        torch.nn.init.normal_(model.classifier.weight, std=5)
    task = tasks.build("classification")
    objective = Objective(validated(ObjectiveConfig, {"prediction": {"type": "mse"}}, "test"), None, task.label_loss, 0)
    frozen = [FrozenTeacher.of(teacher, None, "float32", longest=512) for teacher in teachers]
    inputs = {"input_ids": torch.randint(5, 100, (4, 6)), "attention_mask": torch.ones(4, 6).long()}
    partners, share = torch.tensor([1, 2, 3, 0]), torch.tensor(0.3)
    terms, _ = Distillation(student, objective, frozen, Ensemble([None, None], task.costs))(
        student_inputs=inputs,
        targets=torch.tensor([0, 1, 1, 0]),
        partners=partners,
        share=share,
        teacher_inputs=[inputs, inputs],
    )

    def read(model: torch.nn.Module) -> np.ndarray:
        embedded = model.get_input_embeddings()(inputs["input_ids"])
        with torch.no_grad():
            return model(inputs_embeds=0.3 * embedded + 0.7 * embedded[partners]).logits.numpy()

    said = np.stack([read(teacher) for teacher in teachers])
    logs = log_softmax(said, axis=-1)
    weight = 1 - softmax(-(np.exp(logs) * logs).sum(axis=-1), axis=0)
    taught = (weight[..., None] * said).sum(axis=0)
    assert terms["prediction.mse"].item() == pytest.approx(((read(student) - taught) ** 2).mean(), rel=1e-4)


def test_a_run_that_mixes_before_reading_asks_all_teachers(tiny_bert: Path, tmp_path: Path) -> None:
    mixup = {"mixup": {"beta": 0.4, "teacher": "live"}}
    runs = {}
    for name, count in (("one", 1), ("two", 2)):
        pipeline = pipeline_of(tiny_bert, augmentation=mixup, teacher={"models": [str(tiny_bert)] * count})
        runs[name] = losses(distill(pipeline, tmp_path / name).record)
    assert np.isfinite(runs["two"]).all()
    assert runs["one"] != runs["two"]


@pytest.mark.parametrize(
    ("teacher", "problem"),
    [
        (
            {"model": "a", "models": ["b", "c"]},
            "teacher: model is 'a', and the first of models 'b'; give models alone, or both alike",
        ),
        ({"models": ["a", "a"], "finetune": None}, "models has 'a' twice, which without finetune is one teacher"),
        ({"models": []}, "teacher.models: give at least 1, not []"),
        (
            {"model": "a", "weighting": "per-example"},
            "weighting 'per-example' weighs teachers against each other; give",
        ),
        (
            {"models": ["a"], "weighting": "median"},
            "teacher.weighting: unknown value 'median'; did you mean 'mean'? (known: mean, per-example)",
        ),
    ],
)
def test_what_makes_no_ensemble_is_one_line(teacher: dict[str, Any], problem: str) -> None:
    text = json.dumps({"data": {"source": "asset:trec"}, "teacher": teacher, "student": {"layers": [0]}})
    with pytest.raises(UserError) as caught:
        Pipeline.from_text(text, "pipeline.yaml")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_teachers_that_do_not_fit_are_refused_before_anything_is_made(tiny_bert: Path, tmp_path: Path) -> None:
    first = finetuned(tiny_bert, tmp_path, 0)
    two = AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2)
    two.save_pretrained(tmp_path / "two")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "two")
    ensemble = {"models": [first, str(tmp_path / "two")], "finetune": None}
    with pytest.raises(UserError, match=r"^teacher\.models\.1: it has 2 classes"):
        distill(pipeline_of(first, teacher=ensemble), tmp_path / "out")
    with pytest.raises(UserError, match=r"^teacher\.models\.1: cannot load 'nowhere'"):
        distill(pipeline_of(first, teacher={"models": [first, "nowhere"]}), tmp_path / "out")
    between = {"prediction": None, "intermediate": {"type": "mse"}}
    both = {"models": [str(tiny_bert)] * 2}
    with pytest.raises(UserError, match=r"^teacher\.models: all but the first are asked for predictions alone"):
        distill(pipeline_of(tiny_bert, teacher=both, objective=between), tmp_path / "out")
    with pytest.raises(UserError, match=r"^teacher\.models: names several; name one"):
        training.finetune(pipeline_of(tiny_bert, teacher=both), tmp_path / "out")
    assert not (tmp_path / "out").exists()
