"""Runs whose teacher has answered: they learn what they would have learned from a live one, whatever happens."""

import gc
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertForSequenceClassification

from distiller import UserError, distill, training
from distiller.runs import RunRecord
from distiller.store import FrozenTeacher, store_folder
from distiller.training import run
from tiny_runs import pipeline_of, same, weights_of, write_reader_of_letters, write_things

pytestmark = pytest.mark.usefixtures("own_cache")

OBJECTIVES: dict[str, dict[str, Any]] = {
    "logits": {"intermediate": None},
    "tokens": {"intermediate": {"type": "mse"}},
    "cls": {"intermediate": {"type": "pkd"}},
    "mean": {"intermediate": {"type": "mi", "feature": "mean"}},
    "maps": {"intermediate": {"type": "attention-mse"}},
    "scores": {"intermediate": {"type": "attention-kl"}},
    "vectors": {"intermediate": {"type": "minilm", "relation_heads": 4}},
}


def losses(record: RunRecord) -> list[float]:
    return [entry["loss"] for entry in record.metrics["history"] if "loss" in entry]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_kept_and_live_give_the_same_losses_and_the_same_student(tiny_bert: Path, tmp_path: Path, name: str) -> None:
    """Batches of 8, the last of an epoch of 3; the tolerance of bfloat16 is what docs/store.md states."""
    for dtype in ("float32", "bfloat16"):
        records = {}
        for mode in ("off", "on"):
            pipeline = pipeline_of(
                tiny_bert,
                data={"limit": 51},
                objective=OBJECTIVES[name],
                store={"mode": mode, "dtype": dtype},
                training={"epochs": 2},
            )
            records[mode] = distill(pipeline, tmp_path / dtype / mode).record
        assert records["on"].teacher["outputs"]["kept"]
        assert not records["off"].teacher["outputs"]["kept"]
        largest = max(losses(records["off"]))
        assert np.allclose(losses(records["on"]), losses(records["off"]), rtol=0, atol=0.01 * largest)
        if dtype == "float32":
            assert losses(records["on"]) == losses(records["off"])
            assert same(weights_of(tmp_path / dtype / "on"), weights_of(tmp_path / dtype / "off"))


def test_kept_and_live_give_the_same_student_where_each_word_has_a_class(tiny_bert: Path, tmp_path: Path) -> None:
    """Some texts are cut in the middle of their words."""
    write_things(tmp_path / "things.jsonl")
    for mode in ("off", "on"):
        pipeline = pipeline_of(
            tiny_bert,
            task="token-classification",
            data={"source": str(tmp_path / "things.jsonl"), "limit": 51, "max_length": 12},
            store={"mode": mode, "dtype": "float32"},
        )
        distill(pipeline, tmp_path / mode)
    assert losses(RunRecord.read(tmp_path / "on")) == losses(RunRecord.read(tmp_path / "off"))
    assert same(weights_of(tmp_path / "on"), weights_of(tmp_path / "off"))


@pytest.mark.parametrize(
    "intermediate", [{"type": "mse"}, {"type": "mi", "feature": "tokens"}, {"type": "cka", "feature": "tokens"}]
)
def test_kept_and_live_words_give_the_same_student_of_another_tokenizer(
    tiny_bert: Path, tmp_path: Path, intermediate: dict[str, Any]
) -> None:
    write_reader_of_letters(tmp_path / "student-model")
    for mode in ("off", "on"):
        pipeline = pipeline_of(
            tiny_bert,
            data={"limit": 51, "max_length": 32},
            student={"model": str(tmp_path / "student-model"), "layers": None},
            objective={"intermediate": intermediate},
            store={"mode": mode, "dtype": "float32"},
        )
        distill(pipeline, tmp_path / mode)
    first, *_, last = losses(RunRecord.read(tmp_path / "on"))
    assert losses(RunRecord.read(tmp_path / "on")) == losses(RunRecord.read(tmp_path / "off"))
    assert same(weights_of(tmp_path / "on"), weights_of(tmp_path / "off"))
    assert last < first


def test_no_teacher_is_in_memory_while_a_student_learns_from_what_is_kept(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def present() -> set[int]:
        gc.collect()
        return {id(thing) for thing in gc.get_objects() if type(thing) is BertForSequenceClassification}

    def counting(*arguments: Any, **options: Any) -> Any:
        found.append(len(present() - before))
        return fit(*arguments, **options)

    fit, found = run.fit, list[int]()
    monkeypatch.setattr(run, "fit", counting)
    for name, mode in (("kept", "on"), ("live", "off")):
        before = present()
        record = distill(pipeline_of(tiny_bert, store={"mode": mode}), tmp_path / name).record
        assert record.metrics["teacher"]["test"]["accuracy"] >= 0
    kept, live = found
    assert kept == 1 < live


def test_a_second_run_asks_the_teacher_nothing(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_of(tiny_bert)
    first = distill(pipeline, tmp_path / "first").record
    assert first.cost["store_seconds"] > 0
    asked = []
    answer = FrozenTeacher.__call__

    def counting(self: FrozenTeacher, inputs: Any, texts: int, length: int) -> Any:
        asked.append(texts)
        return answer(self, inputs, texts, length)

    monkeypatch.setattr(FrozenTeacher, "__call__", counting)
    distill(pipeline, tmp_path / "second")
    assert sum(asked) <= 1  # by which the size is known
    assert same(weights_of(tmp_path / "first"), weights_of(tmp_path / "second"))
    distill(pipeline_of(tiny_bert, training={"epochs": 3, "learning_rate": 5e-4}), tmp_path / "third")
    assert sum(asked) <= 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_shard_is_made_anew_and_said(
    tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    pipeline = pipeline_of(tiny_bert)
    distill(pipeline, tmp_path / "whole")
    shard = sorted(store_folder().glob("*/hidden_states-2/*.safetensors"))[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes({"cut": content[:-100], "flipped": content, "emptied": b""}[damage])
    capsys.readouterr()
    distill(pipeline, tmp_path / "again")
    assert f"{shard} is damaged: it is not read" in capsys.readouterr().err
    assert same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "again"))


def test_a_teacher_that_is_edited_in_place_is_asked_anew(tiny_bert: Path, tmp_path: Path) -> None:
    folder = training.finetune(pipeline_of(tiny_bert), tmp_path / "teacher")
    changes: dict[str, Any] = {"teacher": {"model": str(folder), "finetune": None}, "student": {"init": "teacher"}}
    first = distill(pipeline_of(tiny_bert, **changes), tmp_path / "first").record
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"] += 1.0
    weights["bert.encoder.layer.0.output.dense.weight"] *= -1.0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    edited = distill(pipeline_of(tiny_bert, **changes), tmp_path / "edited").record
    shutil.rmtree(store_folder())
    fresh = distill(pipeline_of(tiny_bert, **changes), tmp_path / "fresh").record
    assert losses(edited) == losses(fresh)
    assert losses(edited) != losses(first)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Any]:
    """Mounts a file system at a folder, until the test ends."""
    folders: list[Path] = []

    def mount(folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"may not mount a file system here: {done.stderr}")
        folders.append(folder)

    yield mount
    for folder in reversed(folders):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_run_goes_on_with_a_live_teacher_or_is_refused(
    tiny_bert: Path, tmp_path: Path, mounted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    live = distill(pipeline_of(tiny_bert, store={"mode": "off", "dtype": "float32"}), tmp_path / "live")
    mounted(store_folder(), "-t", "tmpfs", "-o", "size=200k", "tmpfs")
    auto = distill(pipeline_of(tiny_bert, store={"dtype": "float32"}), tmp_path / "auto").record
    assert not auto.teacher["outputs"]["kept"]
    assert "make room" in auto.teacher["outputs"]["reason"]
    assert auto.teacher["outputs"]["reason"] in capsys.readouterr().err
    assert same(weights_of(tmp_path / "live"), weights_of(tmp_path / "auto"))
    with pytest.raises(UserError, match=r"store\.mode: is on, but .*make room"):
        distill(pipeline_of(tiny_bert, store={"mode": "on", "dtype": "float32"}), tmp_path / "on")
    assert live.record.teacher["outputs"]["reason"] == "store.mode is off"


def test_a_disk_that_fills_up_meanwhile_leaves_whole_shards_alone(
    tiny_bert: Path, tmp_path: Path, mounted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if there had been room when that was looked at."""
    mounted(store_folder(), "-t", "tmpfs", "-o", "size=200k", "tmpfs")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10**9})())
    record = distill(pipeline_of(tiny_bert, store={"dtype": "float32"}), tmp_path / "auto").record
    assert "No space left on device" in record.teacher["outputs"]["reason"]
    assert not [*store_folder().rglob(".unfinished*")]
    with pytest.raises(UserError, match=r"store\.mode: is on, but .*No space left on device"):
        distill(pipeline_of(tiny_bert, store={"mode": "on", "dtype": "float32"}), tmp_path / "on")


def test_a_store_that_cannot_be_written_is_read(tiny_bert: Path, tmp_path: Path, mounted: Any) -> None:
    pipeline = pipeline_of(tiny_bert)
    distill(pipeline, tmp_path / "first")
    mounted(store_folder(), "--bind", str(store_folder()))
    mounted_readonly = subprocess.run(["mount", "-o", "remount,bind,ro", str(store_folder())], check=False)
    assert mounted_readonly.returncode == 0
    assert not os.access(store_folder(), os.W_OK)
    again = distill(pipeline, tmp_path / "again").record
    assert again.teacher["outputs"]["kept"]
    assert same(weights_of(tmp_path / "first"), weights_of(tmp_path / "again"))
    other = pipeline_of(tiny_bert, objective={"intermediate": {"type": "pkd"}})
    record = distill(other, tmp_path / "other").record
    assert not record.teacher["outputs"]["kept"]
    assert "cannot be written and lacks" in record.teacher["outputs"]["reason"]


def test_negatives_from_the_store_are_told_from_beside_the_batch(tiny_bert: Path, tmp_path: Path) -> None:
    def run(name: str, **options: Any) -> RunRecord:
        objective = {"intermediate": {"type": "infonce", "feature": "mean", "critic": {"type": "bilinear"}, **options}}
        pipeline = pipeline_of(
            tiny_bert, data={"limit": 60}, objective=objective, mapping={"type": "last"}, training={"epochs": 6}
        )
        return distill(pipeline, tmp_path / name).record

    batch, store = run("batch"), run("store", negatives="store", extra_negatives=40)
    again = run("again", negatives="store", extra_negatives=40)
    for record, candidates in ((batch, 8), (store, 48)):
        first, *_, last = [entry for entry in record.metrics["history"] if "loss" in entry]
        nats = [first[f"mutual_information.{pair}"] for pair in record.metrics["mutual_information"]]
        assert first["raw.intermediate.infonce"] == pytest.approx(np.log(candidates) - np.mean(nats), abs=1e-4)
        assert last["raw.intermediate.infonce"] < first["raw.intermediate.infonce"]
    assert store.metrics["mutual_information"] == again.metrics["mutual_information"]
    assert losses(store) == losses(again)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"store": {"mode": "off"}}, r"store\.mode: is off, and .*negatives: store draws from it; set it to on"),
        (
            {"training": {"batch_size": 64}},
            r"negatives: a batch of 64 holds all 64 training texts.*; lower training\.batch_size, or use batch",
        ),
        ({"objective": {"extra_negatives": 999}}, r"extra_negatives: 999 is not less than the 64 training texts"),
        ({"objective": {"feature": "tokens"}}, r"negatives 'store' are texts; use feature 'cls' or 'mean'"),
    ],
)
def test_negatives_that_cannot_be_drawn_are_refused(
    tiny_bert: Path, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    intermediate = {"type": "mi", "negatives": "store", "extra_negatives": 40, **changes.pop("objective", {})}
    with pytest.raises(UserError, match=problem):
        distill(pipeline_of(tiny_bert, objective={"intermediate": intermediate}, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_teacher_whose_tokenizer_pads_on_the_left_is_asked_at_every_step(tiny_bert: Path, tmp_path: Path) -> None:
    """Positions of teacher and student correspond there too, whatever lengths batches are rounded up to."""
    folder = tmp_path / "left"
    shutil.copytree(tiny_bert, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(folder)
    record = distill(pipeline_of(folder), tmp_path / "out").record
    assert not record.teacher["outputs"]["kept"]
    assert "pads on the left" in record.teacher["outputs"]["reason"]
    negatives = {"intermediate": {"type": "mi", "negatives": "store", "extra_negatives": 40}}
    with pytest.raises(UserError, match=r"negatives: are drawn from the store, but .*left.*; or set it to batch"):
        distill(pipeline_of(folder, objective=negatives), tmp_path / "refused")
    with pytest.raises(UserError, match=r"store\.mode: is on, but .*left.*; or set it to off"):
        distill(pipeline_of(folder, store={"mode": "on"}), tmp_path / "on")


def test_built_before_any_run(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert, training={"epochs": 1})
    assert "of 64 texts are computed once" in training.build_store(pipeline)
    record = distill(pipeline, tmp_path / "out").record
    assert record.teacher["outputs"] == {"kept": True, "reason": record.teacher["outputs"]["reason"]}
    assert "outputs of all 64 texts are there" in record.teacher["outputs"]["reason"]
    labels_alone = {"prediction": None, "intermediate": None, "hard_label": {"weight": 1.0}}
    with pytest.raises(UserError, match="nothing of a teacher to keep"):
        training.build_store(pipeline_of(tiny_bert, objective=labels_alone))
    assert isinstance(json.loads((tmp_path / "out" / "run.json").read_text())["cost"]["store_seconds"], float)
