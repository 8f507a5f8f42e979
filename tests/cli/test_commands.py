"""The command line as a user meets it: real processes, exit codes, one line on stderr."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file, save_file

from distiller.cli.main import main, mend_of
from distiller.version import __version__
from processes import run_command

pytestmark = pytest.mark.usefixtures("own_cache")


def _write(path: Path, model: Path, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "data": {"source": "asset:trec", "limit": 48, "max_length": 24},
        "teacher": {"model": str(model), "finetune": {"epochs": 1}},
        "student": {"layers": [0, 2]},
        "training": {"epochs": 1},
    }
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


def test_version_and_help() -> None:
    command = [sys.executable, "-m", "distiller", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"distiller {__version__}\n"
    listed = run_command("--help").stdout
    assert all(command in listed for command in ("demo", "finetune", "distill", "evaluate", "doctor"))


def test_distill_leaves_student_record_and_report(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert)
    done = run_command("distill", pipeline, "--out", tmp_path / "out", "--set", "training.epochs=2", "--set", "seed=4")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["seed"] == 4
    assert record["pipeline"]["training"]["epochs"] == 2
    assert {each["sentences"] for each in record["latency"].values()} == {200}
    assert "retention" in done.stdout
    assert (tmp_path / "out" / "report.html").read_text().startswith("<!")
    assert (tmp_path / "out" / "student" / "model.safetensors").exists()
    again = run_command(
        "distill", pipeline, "--out", tmp_path / "out", "--set", "training.epochs=2", "--set", "seed=4", "--resume"
    )
    assert again.returncode == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == record


def test_finetune_then_evaluate_gives_the_score_in_the_record(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert)
    assert run_command("finetune", pipeline, "--out", tmp_path / "out").returncode == 0
    done = run_command("evaluate", tmp_path / "out" / "teacher", pipeline, "--out", tmp_path / "scores")
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert run_command("distill", pipeline, "--out", tmp_path / "run").returncode == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert scores["metrics"] == record["metrics"]["teacher"]["test"]


def test_adapt_masked_lm_leaves_a_model_that_augmentation_takes(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert)
    done = run_command("adapt-masked-lm", pipeline, "--model", tiny_bert, "--steps", 2, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "guessed first" in done.stdout
    step = f"augmentation.steps=[{{type: contextual, model: {tmp_path / 'out' / 'masked-lm'}}}]"
    shown = run_command("augment", pipeline, "--show", 3, "--set", step)
    assert shown.returncode == 0, shown.stderr


def test_a_damaged_encoder_is_one_line_and_exit_code_2_and_leaves_nothing(tiny_bert: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_bert, encoder)
    weights = load_file(encoder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "encoder.layer.1." not in name}
    save_file(kept, encoder / "model.safetensors", {"format": "pt"})
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert)
    done = run_command("adapt-masked-lm", pipeline, "--model", encoder, "--steps", 2, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().split("\n")
    assert line.startswith(f"adapt-masked-lm: '{encoder}' is damaged: its weights do not fit its config.json: ")
    assert not (tmp_path / "out").exists()


def test_doctor_says_what_is_there(tmp_path: Path, own_cache: Path) -> None:
    done = run_command("doctor", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    findings = json.loads((tmp_path / "doctor.json").read_text())
    assert {"python", "torch", "cores", "memory", "bfloat16", "gpu", "hub", "cached assets"} <= set(findings)
    assert findings["cache"] == str(own_cache)


CSV = "text,label\n" + "".join(f"how far is {n},number\nwho is {n},person\n" for n in range(20))


@pytest.mark.parametrize(
    ("changes", "file", "named", "mend"),
    [
        ({"sede": 1}, CSV, "sede", "did you mean 'seed'"),
        ({"objective": {"prediction": {"type": "kll"}}}, CSV, "objective.prediction", "did you mean 'kl'"),
        ({"student": {"layers": [0, 7]}}, CSV, "student.layers", "no layer 7"),
        (
            {"objective": {"intermediate": {"type": "mse"}}, "mapping": {"type": "explicit", "pairs": [[1, 9]]}},
            CSV,
            "9",
            "4",
        ),
        ({"data": {"source": "asset:trec", "max_length": 600}}, CSV, "data.max_length", "512"),
        ({"metric": "acuracy"}, CSV, "metric", "did you mean 'accuracy'"),
        ({"task": "regression"}, CSV, "data.csv", "number"),
        ({}, CSV.replace("label", "labl", 1), "label", "labl"),
        ({}, "", "data.csv", "empty"),
        ({}, CSV.replace("person", "number"), "data.csv", "class"),
        ({}, CSV.replace("who is 0", "", 1), "data.csv", "3"),
        ({"teacher": {"model": "no/such-model"}}, CSV, "teacher.model", "no/such-model"),
        ({"teacher": {"model": "asset:minilm-l6", "finetune": None}}, CSV, "teacher.model", "no fine-tuned head"),
        ({"data": {"source": "absent.csv"}}, CSV, "absent.csv", ""),
        ({"data": {"source": ""}}, CSV, "data.source", "is empty"),
        ({"data": {"source": "~nosuchuser/x.csv"}}, CSV, "data.source", "give another path"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(
    tiny_bert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    file: str,
    named: str,
    mend: str,
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(file)
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert, **{"data": {"source": str(data)}, **changes})
    monkeypatch.setattr(sys, "argv", ["distiller", "distill", str(pipeline), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert len(lines) == 1, lines
    assert named in lines[0]
    assert mend in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_head_is_not_evaluated(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(CSV)
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert, data={"source": str(tmp_path / "data.csv")})
    monkeypatch.setattr(sys, "argv", ["distiller", "evaluate", str(tiny_bert), str(pipeline)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"{tiny_bert}: '{tiny_bert}' has no fine-tuned head: its weights lack ")


def test_a_loss_that_is_no_number_is_bad_input_too(tiny_bert: Path, tmp_path: Path) -> None:
    training = {"epochs": 2, "learning_rate": 1e30, "warmup": 0.0, "batch_size": 4}
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert, training=training)
    done = run_command("distill", pipeline, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert "objective.prediction.kl: the loss is not a finite number at step" in done.stderr
    assert not (tmp_path / "out" / "student").exists()


def test_a_stopped_run_exits_with_130_and_goes_on_with_resume(tiny_bert: Path, tmp_path: Path) -> None:
    pipeline = _write(tmp_path / "pipeline.yaml", tiny_bert, training={"epochs": 2, "batch_size": 4})
    script = (
        "import os; from distiller.training.checkpoints import CheckpointByTime;"
        f"CheckpointByTime.on_epoch_end = lambda *_, **__: os.kill(os.getpid(), {int(signal.SIGTERM)});"
        "from distiller.cli.main import main; main()"
    )
    command = [sys.executable, "-c", script, "distill", str(pipeline), "--out", str(tmp_path / "out")]
    stopped = subprocess.run(command, capture_output=True, text=True, check=False)
    # The teacher's fine-tuning has epochs too: it is there that the first signal comes.
    assert stopped.returncode == 130, stopped.stderr
    assert "--resume" in stopped.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "stopped"
    done = run_command("distill", pipeline, "--out", tmp_path / "out", "--resume")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("out", ["pipeline.yaml/below/a/file", "/proc/x", "/proc/x/y", "a" * 300])
def test_a_folder_that_cannot_be_made_is_one_line(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "pipeline.yaml", tiny_bert)
    monkeypatch.setattr(sys, "argv", ["distiller", "distill", "pipeline.yaml", f"--out={out}"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert len(lines) == 1, lines
    assert lines[0].endswith("name another --out, or set DISTILLER_CACHE if it is the cache")
    assert lines[0].split(": ")[0] in (out, *map(str, Path(out).parents))


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.ENOSPC, "No space left on device; make room there, or name another --out"),
        (errno.EROFS, "cannot be written (Read-only file system); name another --out, or set DISTILLER_CACHE"),
        (errno.EACCES, "cannot be written (Permission denied); name another --out, or set DISTILLER_CACHE"),
    ],
)
def test_a_full_disk_and_one_that_cannot_be_written_have_mends_of_their_own(code: int, mend: str) -> None:
    said = mend_of(OSError(code, os.strerror(code), "/cache/teachers"))
    assert said is not None
    assert said.startswith(mend)


def test_a_file_of_ours_that_is_gone_is_no_wrong_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["distiller", "distill", "pipeline.yaml", "--out", str(tmp_path)])
    with pytest.raises(FileNotFoundError) as gone:
        (tmp_path / "state.json").read_text()
    assert mend_of(gone.value) is None
