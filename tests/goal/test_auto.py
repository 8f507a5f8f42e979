"""From a goal to an exported student, with a tiny teacher and real questions."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from distiller import Pipeline, UserError, export, models
from distiller.goal import Goal, auto
from distiller.goal.pipelines import first_for, settled, space_for
from distiller.goal.pursuit import Judge
from distiller.goal.size import Pursuer, Size
from distiller.models import StudentConfig
from distiller.recommend import base_of
from distiller.runs import RunRecord
from distiller.training import finetune
from processes import run_command

pytestmark = pytest.mark.usefixtures("own_cache")
LEARNS = ["data.limit=160", "data.max_length=24", "teacher.finetune.epochs=8", "teacher.finetune.learning_rate=3e-3"]
STUDENTS = ["0", "0,2"]


def base(tiny_bert: Path) -> Pipeline:
    return base_of("asset:trec", str(tiny_bert), "0", LEARNS)


def test_the_smallest_that_keeps_enough_is_exported_and_the_same_call_goes_on(tiny_bert: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = auto(base(tiny_bert), Goal(retain=0.2, time="10m"), out, STUDENTS).summary
    assert summary["met"]
    assert summary["sentences"][0].startswith("The goal is met (20.0% of the teacher): ")
    assert json.loads((out / "auto.json").read_text()) == summary
    assert [size["student"] for size in summary["front"]] == STUDENTS
    chosen = summary["chosen"]
    assert chosen["student"] == "0"
    onnxruntime.InferenceSession(out / "onnx" / chosen["form"])
    record = RunRecord.read(out / "best")
    assert record.student["layers"] == 1
    own = json.loads((out / "onnx" / "export.json").read_text())["forms"]
    of_teacher = json.loads((out / "teacher-onnx" / "export.json").read_text())["forms"]
    assert chosen["test_score"] == own[chosen["form"]]["scores"][record.metrics["primary"]]
    kept = chosen["test_score"] / of_teacher["original"]["scores"][record.metrics["primary"]]
    assert chosen["test_retention"] == pytest.approx(kept)
    runs = {path: path.stat().st_mtime_ns for path in out.glob("sizes/*/runs/*/run/run.json")}
    _as_of_an_earlier_version(out)
    again = auto(base(tiny_bert), Goal(retain=0.2, time="10m"), out, STUDENTS).summary
    assert again["chosen"]["student"] == "0"
    assert {path: path.stat().st_mtime_ns for path in out.glob("sizes/*/runs/*/run/run.json")} == runs
    with pytest.raises(UserError, match="is of another call: students differs"):
        auto(base(tiny_bert), Goal(), out, ["0,1"])


def _as_of_an_earlier_version(out: Path) -> None:
    """That had teachers one by one."""
    given = yaml.safe_load((out / "goal.yaml").read_text())
    pipelines = [*out.glob("sizes/*/runs/*/given.yaml")]
    for content, path in [(given["base"], None), *((yaml.safe_load(path.read_text()), path) for path in pipelines)]:
        del content["teacher"]["models"], content["teacher"]["weighting"]
        if path is not None:
            path.write_text(yaml.safe_dump(content, sort_keys=False))
    (out / "goal.yaml").write_text(yaml.safe_dump(given))


def test_what_cannot_be_kept_is_said_with_what_is_nearest(tiny_bert: Path, tmp_path: Path) -> None:
    """In a time that is over before the first run is: one is made all the same."""
    summary = auto(base(tiny_bert), Goal(retain=2.0, time="1s"), tmp_path / "out", ["0"]).summary
    assert not summary["met"]
    assert summary["chosen"]["student"] == "0"
    assert summary["front"][0]["trials"] == 1
    lacks = 100 * (2.0 - summary["chosen"]["retention"]["value"])
    assert f"It lacks {lacks:.1f} points." in " ".join(summary["sentences"])


def test_a_student_that_keeps_too_little_is_taught_by_a_larger_one_too(tiny_bert: Path, tmp_path: Path) -> None:
    """The larger of the two has layers of the teacher that the smaller cannot take from it by their numbers."""
    pipeline = base(tiny_bert)
    goal = Goal(retain=1.99, time="1s")  # which nothing reaches
    (tmp_path / "sizes").mkdir()
    teacher = str(finetune(pipeline, tmp_path))
    pursuer = Pursuer(pipeline, goal, tmp_path, Judge.of(pipeline, teacher), set(), None)
    larger = pursuer.pursued(Size("larger", StudentConfig(layers=[1, 3], init="teacher"), {}), 1.0, None)
    assert larger.pursued is not None
    small = Size("small", StudentConfig(layers=[2], init="teacher"), {})
    alone = pursuer.pursued(small, 1.0, None).pursued
    helped = pursuer.pursued(small, 1.0, larger).pursued
    given = Pipeline.from_yaml(tmp_path / "sizes" / "small-taught-by-larger.yaml")
    assert given.teacher.model == str(larger.pursued.run / "student")
    assert given.teacher.finetune is None
    assert given.student.layers == [0]
    records = [
        RunRecord.read(path.parent) for path in tmp_path.glob("sizes/small-taught-by-larger/runs/*/run/run.json")
    ]
    assert len(records) == 1  # with other seeds it would be as hopeless
    assert {record.teacher["layers"] for record in records} == {2}
    assert helped is not None
    assert alone is not None
    assert helped.standing(goal) >= alone.standing(goal)


def test_a_student_that_keeps_too_little_is_taught_by_all_teachers_too(tiny_bert: Path, tmp_path: Path) -> None:
    """The first is the one that it is held against, whoever teaches it."""
    pipeline = base_of("asset:trec", str(tiny_bert), "0", [*LEARNS, f"teacher.models={[str(tiny_bert)] * 2}"])
    summary = auto(pipeline, Goal(retain=1.99, time="1s"), tmp_path / "out", ["0"]).summary
    (size,) = summary["front"]
    assert [*size["ways"]] == ["the teacher", "all teachers"]
    kept = [way["retention"]["value"] for way in size["ways"].values()]
    assert size["retention"]["value"] == max(kept)
    said = f"0 kept, as it was taught: {kept[0]:.1%} by the teacher, {kept[1]:.1%} by all teachers."
    assert said in summary["sentences"]
    taught = tmp_path / "out" / "sizes" / "0-taught-by-all-teachers"
    assert Pipeline.from_yaml(taught.with_suffix(".yaml")).teacher.members == [str(tiny_bert)] * 2
    assert Pipeline.from_yaml(tmp_path / "out" / "sizes" / "0.yaml").teacher.models is None
    (record,) = (RunRecord.read(path.parent) for path in taught.glob("runs/*/run/run.json"))
    first = json.loads((tmp_path / "out" / "teacher-onnx" / "export.json").read_text())["forms"]["original"]["scores"]
    assert record.metrics["members"][0]["test"] == pytest.approx(first)
    assert record.metrics["teacher"] != record.metrics["members"][0]


def test_what_is_kept_with_one_teacher_needs_no_others(tiny_bert: Path, tmp_path: Path) -> None:
    asked = ["--data", "asset:trec", "--teacher", tiny_bert, "--with", tiny_bert, "--student", "0"]
    changes = [part for change in LEARNS for part in ("--set", change)]
    out = tmp_path / "out"
    done = run_command("auto", *asked, *changes, "--retain", "0.2", "--time", "10m", "--out", out)
    assert done.returncode == 0, done.stderr
    assert [*json.loads((out / "auto.json").read_text())["front"][0]["ways"]] == ["the teacher"]
    assert not [*out.glob("sizes/*taught*")]
    fixed = ["--set", "teacher.finetune=null", "--out", tmp_path / "other"]
    refused = run_command("auto", *asked, *fixed)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "teacher: models has" in line
    assert "twice" in line


def test_a_goal_that_no_student_can_meet_is_one_line_before_anything_is_distilled(
    tiny_bert: Path, tmp_path: Path
) -> None:
    asked = ["--data", "asset:trec", "--teacher", tiny_bert, "--student", "0", "--out", tmp_path / "out"]
    changes = [part for change in LEARNS for part in ("--set", change)]
    done = run_command("auto", *asked, *changes, "--latency-ms", "0.0001")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "latency" in line]
    assert line.startswith("auto: no student is within --latency-ms 0.0001: the fastest student (0) takes 0.")
    assert not [*(tmp_path / "out").glob("sizes/*")]
    for option, value in (("--retain", "-1"), ("--time", "5x"), ("--size-mb", "0")):
        refused = run_command("auto", *asked, option, value)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1


def test_what_is_foreseen_of_a_student_is_what_it_takes(tiny_bert: Path) -> None:
    pipeline = base(tiny_bert)
    foreseen = export.foresee(pipeline, {"two": pipeline.student.replace(layers=[0, 1])})
    assert foreseen.keys() == {"teacher", "two"}
    sizes = {form: each.size_mb for form, each in foreseen["two"].items()}
    assert sizes[export.INT8] < sizes[export.FLOAT] / 2
    encoder = models.load_encoder(str(tiny_bert), "test", torch.float32)
    weights = sum(weight.nbytes for weight in encoder.parameters()) / 1e6
    assert sizes[export.FLOAT] == pytest.approx(weights, rel=0.1)  # nearly all of it word embeddings
    assert all(np.isfinite(each.latency["median_ms"]) for forms in foreseen.values() for each in forms.values())


def test_what_a_call_says_itself_is_not_searched(tiny_bert: Path) -> None:
    pipeline = base_of("asset:trec", str(tiny_bert), "0", ["training.epochs=2", "augmentation.mixup.beta=0.2"])
    assert settled(pipeline) == {"training.epochs", "augmentation.mixup"}
    space = space_for(pipeline, settled(pipeline))
    assert not {"training.epochs", "augmentation.mixup"} & space.keys()
    assert all(point.keys() <= space.keys() for point in first_for(space))
    assert "student.init" in space
    assert "student.init" not in space_for(pipeline.replace(student={"model": str(tiny_bert)}), set())
    assert settled(base_of("asset:trec", str(tiny_bert), "0")) == set()
