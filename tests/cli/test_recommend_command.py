import json
import subprocess
from pathlib import Path

import pytest

from distiller import Pipeline
from distiller.runs import RunRecord
from processes import run_command
from recommend_tables import runs


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("knowledge")
    table = folder / "runs.csv"
    runs().to_csv(table, index=False)
    done = run_command("knowledge", "add", table, "--knowledge", folder / "known")
    assert done.returncode == 0, done.stderr
    assert "480 runs added" in done.stdout
    return folder / "known"


def asked(tiny_bert: Path, known: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    data = ("--data", "asset:trec", "--set", "data.limit=64", "--set", "data.max_length=24")
    teacher = ("--set", "teacher.finetune.epochs=1", "--teacher", tiny_bert, "--student", "0,2")
    return run_command("recommend", *data, *teacher, "--knowledge", known, *more)


def test_what_is_recommended_runs_as_it_is(tiny_bert: Path, known: Path, tmp_path: Path) -> None:
    done = asked(tiny_bert, known, "--out", tmp_path / "advice", "-n", "3")
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / "advice" / "recommendations.json").read_text())
    assert [each["pipeline"] for each in said["recommendations"]] == ["1.yaml", "2.yaml", "3.yaml"]
    assert all(each["low"] < each["expected"] < each["high"] for each in said["recommendations"])
    assert all(each["seconds"] > 0 for each in said["recommendations"])
    done = run_command("distill", tmp_path / "advice" / "1.yaml", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    record = RunRecord.read(tmp_path / "run")
    assert record.status == "finished"
    assert record.data["n_train"] == 64
    assert record.student["layers"] == 2


def test_without_runs_of_ones_own_those_of_the_program_recommend(tiny_bert: Path, tmp_path: Path) -> None:
    asked = ("--data", "asset:trec", "--set", "data.limit=64", "--teacher", tiny_bert, "--student", "0,2", "-n", "2")
    done = run_command("recommend", *asked, "--out", tmp_path / "advice", DISTILLER_KNOWLEDGE=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert "from 96 runs, on asset:sms-spam, asset:trec, asset:trec-fine, asset:tweets-sentiment." in done.stdout
    assert "come with the program" in done.stdout
    for place in (1, 2):
        assert Pipeline.from_yaml(tmp_path / "advice" / f"{place}.yaml").data.limit == 64


def test_what_is_known_is_listed_and_judged(known: Path) -> None:
    listed, judged = (
        run_command("knowledge", "ls", "--knowledge", known),
        run_command("knowledge", "stats", "--knowledge", known),
    )
    assert "480 runs on 8 datasets" in listed.stdout
    assert "data-7" in judged.stdout
    assert "Used:" in judged.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--student", "0,99"), "student.layers"),
        (("--knowledge", "/nowhere"), "knowledge add"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: tuple[str, str], said: str, tiny_bert: Path, known: Path, tmp_path: Path
) -> None:
    given = {"--data": "asset:trec", "--teacher": str(tiny_bert), "--student": "0,2", "--knowledge": str(known)}
    flags = [part for flag, value in {**given, **dict([arguments])}.items() for part in (flag, value)]
    done = run_command("recommend", *flags, "--out", tmp_path / "advice")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr
    assert not (tmp_path / "advice").exists()
