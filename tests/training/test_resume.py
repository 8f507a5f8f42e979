"""Runs that were stopped, killed, moved or meddled with, and go on."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertModel

from distiller import UserError, distill, training
from processes import run_script
from tiny_runs import DYING, die, pipeline_of, same, weights_of

pytestmark = pytest.mark.usefixtures("own_cache")


def test_what_is_there_is_never_overwritten_unasked(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="is a file; name a folder"):
        distill(pipeline_of(tiny_bert), tmp_path / "out" / "thesis.txt")
    with pytest.raises(UserError, match="is not empty; add --resume"):
        distill(pipeline_of(tiny_bert), tmp_path / "out")
    with pytest.raises(UserError, match=r"holds no pipeline\.yaml"):
        distill(pipeline_of(tiny_bert), tmp_path / "out", resume=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_finished_run_is_given_back_and_another_pipeline_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(pipeline_of(tiny_bert), tmp_path / "out")
    assert distill(pipeline_of(tiny_bert), tmp_path / "out", resume=True) == first
    with pytest.raises(UserError, match="is another pipeline"):
        distill(pipeline_of(tiny_bert, seed=9), tmp_path / "out", resume=True)


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
    pipeline = pipeline_of(tiny_bert, training={"checkpoint_minutes": minutes})
    assert die(pipeline, tmp_path, moment, step, signal.SIGKILL) == -signal.SIGKILL
    assert not (tmp_path / "out" / "run.json").exists()
    resumed = distill(pipeline, tmp_path / "out", resume=True).record
    whole = distill(pipeline, tmp_path / "whole").record
    assert same(weights_of(tmp_path / "out"), weights_of(tmp_path / "whole"))
    assert resumed.metrics["student"] == whole.metrics["student"]


def test_an_interrupted_run_says_so_in_its_record_and_can_go_on(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert)
    assert die(pipeline, tmp_path, "step", 13, signal.SIGINT) != 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "stopped"
    assert distill(pipeline, tmp_path / "out", resume=True).record.status == "finished"


def test_a_killed_fine_tuning_goes_on_too(tiny_bert: Path, tmp_path: Path, own_cache: Path) -> None:
    pipeline = pipeline_of(tiny_bert, teacher={"finetune": {"epochs": 3, "batch_size": 8}})
    pipeline.to_yaml(tmp_path / "given.yaml")
    script = DYING.replace('"distill" in TITLE', '"teacher" in TITLE')
    arguments = [str(tmp_path / "given.yaml"), str(tmp_path / "out"), "step", "13", str(int(signal.SIGKILL))]
    run_script(script, *arguments)
    (unfinished,) = (own_cache / "teachers").glob("*.checkpoints")
    assert [path.name for path in unfinished.iterdir()] == ["checkpoint-8"]
    resumed = distill(pipeline, tmp_path / "out", resume=True).record
    assert not unfinished.exists()
    for path in (own_cache / "teachers").iterdir():
        if path.is_dir():
            (path / "teacher.json").unlink()
    whole = distill(pipeline, tmp_path / "whole").record
    assert resumed.metrics["teacher"] == whole.metrics["teacher"]
    assert same(weights_of(tmp_path / "out"), weights_of(tmp_path / "whole"))


def test_the_projection_is_in_checkpoints_so_that_resume_is_exact(tiny_bert: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow"
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(narrow)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(narrow)
    pipeline = pipeline_of(tiny_bert, student={"layers": None, "model": str(narrow)})
    assert die(pipeline, tmp_path, "step", 13, signal.SIGKILL) == -signal.SIGKILL
    distill(pipeline, tmp_path / "out", resume=True)
    distill(pipeline, tmp_path / "whole")
    assert same(weights_of(tmp_path / "out"), weights_of(tmp_path / "whole"))


def test_a_run_killed_after_its_last_step_only_measures(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert)
    whole = distill(pipeline, tmp_path / "out").record
    before = weights_of(tmp_path / "out")
    (tmp_path / "out" / "run.json").unlink()
    shutil.rmtree(tmp_path / "out" / "student")
    again = distill(pipeline, tmp_path / "out", resume=True).record
    assert same(weights_of(tmp_path / "out"), before)
    assert again.metrics["student"] == whole.metrics["student"]
    assert again.metrics["history"] == whole.metrics["history"]
    assert again.cost["train_seconds"] == whole.cost["train_seconds"]


def test_a_run_goes_on_wherever_its_folder_has_gone(tiny_bert: Path, tmp_path: Path) -> None:
    """The best epoch is not the last, and all that is left to do is to load and measure it."""
    pipeline = pipeline_of(tiny_bert, training={"learning_rate": 0.1})
    whole = distill(pipeline, tmp_path / "whole").record
    scores = [entry["eval_accuracy"] for entry in whole.metrics["history"] if "eval_accuracy" in entry]
    assert scores.index(max(scores)) < len(scores) - 1
    assert die(pipeline, tmp_path, "measuring", 0, signal.SIGKILL) == -signal.SIGKILL
    shutil.rmtree(tmp_path / "out" / "student")
    (tmp_path / "out").rename(tmp_path / "moved")
    distill(pipeline, tmp_path / "moved", resume=True)
    assert same(weights_of(tmp_path / "moved"), weights_of(tmp_path / "whole"))


def _written(path: Path, rows: int) -> Path:
    names = ["ant", "bee"]
    path.write_text("text,label\n" + "".join(f"{names[row % 2]} {row},{names[row % 2]}\n" for row in range(rows)))
    return path


@pytest.mark.parametrize("moment", ["step", "finished"])
def test_a_run_does_not_go_on_with_other_data(tiny_bert: Path, tmp_path: Path, moment: str) -> None:
    source = str(_written(tmp_path / "animals.csv", 120))
    pipeline = pipeline_of(tiny_bert, data={"source": source})
    if moment == "step":
        assert die(pipeline, tmp_path, moment, 13, signal.SIGKILL) == -signal.SIGKILL
    else:
        distill(pipeline, tmp_path / "out")
    _written(tmp_path / "animals.csv", 99)
    with pytest.raises(UserError, match="the data changed since this run was started"):
        distill(pipeline, tmp_path / "out", resume=True)


def test_a_run_does_not_go_on_with_another_teacher_under_the_same_name(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_bert, folder)
    pipeline = pipeline_of(folder)
    distill(pipeline, tmp_path / "out")
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight + 0.01 for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="the teacher changed since this run was started"):
        distill(pipeline, tmp_path / "out", resume=True)


def test_a_finished_run_whose_student_was_removed_makes_it_again(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(pipeline_of(tiny_bert), tmp_path / "out")
    before = weights_of(tmp_path / "out")
    shutil.rmtree(first.student_path)
    distill(pipeline_of(tiny_bert), tmp_path / "out", resume=True)
    assert same(weights_of(tmp_path / "out"), before)


def test_what_killed_processes_left_half_written_is_no_run(tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".pipeline.yaml.x1y2").write_text("task: cl")
    assert distill(pipeline_of(tiny_bert), tmp_path / "out", resume=True).record.status == "finished"


def test_what_differs_from_the_run_to_resume_is_named(tiny_bert: Path, tmp_path: Path) -> None:
    distill(pipeline_of(tiny_bert), tmp_path / "out")
    with pytest.raises(UserError, match=r"training\.batch_size was 8, now 4"):
        distill(pipeline_of(tiny_bert, training={"batch_size": 4}), tmp_path / "out", resume=True)


def _in_another_version(weights: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """What versions with other names, less in a checkpoint, more in it and other shapes would have written."""
    embeddings = next(name for name in weights if name.endswith("word_embeddings.weight"))
    return {
        "renamed": {name.replace("student.", "pupil."): weight for name, weight in weights.items()},
        "lacking": {name: weight for name, weight in weights.items() if not name.endswith("word_embeddings.lost")},
        "more": {**weights, "objective.temperature": torch.ones(1)},
        "wider": {**weights, embeddings: torch.ones(30522, 32)},
    }


def test_a_checkpoint_of_another_version_is_refused_and_stays_as_it_is(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny_bert)
    assert die(pipeline, tmp_path, "step", 13, signal.SIGKILL) == -signal.SIGKILL
    checkpoint = tmp_path / "out" / "checkpoints" / "checkpoint-8"
    file = checkpoint / "model.safetensors"
    written = file.read_bytes()
    for others in _in_another_version(load_file(file)).values():
        save_file(others, file)
        with pytest.raises(UserError) as refusal:
            distill(pipeline, tmp_path / "out", resume=True)
        mend = "was written by another version of Distiller: name another --out, or go on with that version"
        assert str(refusal.value) == f"{checkpoint}: {mend}"
        assert load_file(file).keys() == others.keys()
    file.write_bytes(written)
    assert distill(pipeline, tmp_path / "out", resume=True).record.status == "finished"


@pytest.mark.parametrize("stops", [[1, 2, 3], [1, 1, 3, 3], [2, 3], [3]])
def test_a_run_in_parts_ends_as_one_in_one_piece(tiny_bert: Path, tmp_path: Path, stops: list[int]) -> None:
    """A part that was done already is not done again, whether it was the last one or not."""
    pipeline = pipeline_of(tiny_bert, objective={"intermediate": {"type": "mi"}})
    for stop in stops:
        if stop == 3:
            shutil.rmtree(tmp_path / "parts" / "student", ignore_errors=True)
        record = training.advance(pipeline, tmp_path / "parts", stop, timed=False)
        assert record.metrics["epochs"] == stop
        assert record.status == ("finished" if stop == 3 else "stopped")
        assert record.metrics["teacher"]["validation"]
    whole = distill(pipeline, tmp_path / "whole").record
    assert same(weights_of(tmp_path / "parts"), weights_of(tmp_path / "whole"))
    assert record.metrics["student"] == whole.metrics["student"]
    assert record.latency == {}
    steps = [entry["loss"] for entry in record.metrics["history"] if "loss" in entry]
    assert steps == [entry["loss"] for entry in whole.metrics["history"] if "loss" in entry]


def test_the_seed_of_the_student_changes_the_student_and_nothing_else(tiny_bert: Path, tmp_path: Path) -> None:
    first = distill(pipeline_of(tiny_bert), tmp_path / "first").record
    other = distill(pipeline_of(tiny_bert, training={"seed": 5}), tmp_path / "other").record
    again = distill(pipeline_of(tiny_bert, training={"seed": 0}), tmp_path / "again").record
    assert not same(weights_of(tmp_path / "first"), weights_of(tmp_path / "other"))
    assert same(weights_of(tmp_path / "first"), weights_of(tmp_path / "again"))
    assert first.data["fingerprint"] == other.data["fingerprint"] == again.data["fingerprint"]
    assert first.metrics["teacher"] == other.metrics["teacher"]
