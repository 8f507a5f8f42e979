"""What `distiller export` leaves of a student that was trained on real texts, and of one that int8 ruins."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from sklearn.metrics import f1_score
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel
from transformers.activations import ACT2FN

from distiller import Pipeline, UserError, assets, data, distill, models, training
from distiller.cli.export import export as export_command
from distiller.cli.main import main
from distiller.export import bench, export
from tiny_runs import pipeline_of

SCRIPTS = sorted((Path(export.__code__.co_filename).parent / "predict").glob("*.py"))
HUGE = 3000.0


@pytest.fixture(scope="module", autouse=True)
def _as_many_sentences_are_timed_as_users_have() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distiller.training.evaluation.TIMED_SENTENCES", training.TIMED_SENTENCES)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a BERT of two layers, 32 wide, that tells spam."""
    folder = tmp_path_factory.mktemp("spam")
    downloads = assets.cache_folder() / "assets"
    (folder / "cache").mkdir()
    (folder / "cache" / "assets").symlink_to(downloads, target_is_directory=True)
    config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    with models.seeded(0):
        BertModel(config).save_pretrained(folder / "encoder")
    models.load_tokenizer("asset:minilm-l6", "test").save_pretrained(folder / "encoder")
    learned = {"epochs": 3, "batch_size": 16, "learning_rate": 3e-3}
    pipeline = pipeline_of(
        folder / "encoder",
        metric="f1",
        data={"source": "asset:sms-spam", "limit": 600, "max_length": 32},
        teacher={"finetune": {"epochs": 1}},
        student={"layers": [0, 1]},
        objective={"prediction": None, "hard_label": {"weight": 1.0}, "intermediate": None},
        training=learned,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLER_CACHE", str(folder / "cache"))
        distill(pipeline, folder / "run")
        yield folder / "run"


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    export(str(run / "student"), run / "onnx", int8=True)
    return run / "onnx"


@pytest.fixture(scope="module")
def spoiled(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a student that says the same, and whose attention adds and subtracts a huge number.

    One output of each value projection is raised by it; attention is a mean, so that it arrives as it is, and the next
    bias takes away what comes of it. Rounded to 256 steps up to that number, all others are 0.
    """
    folder = tmp_path_factory.mktemp("spoiled")
    for name in ("run.json", "pipeline.yaml"):
        shutil.copy(run / name, folder / name)
    shutil.copytree(run / "student", folder / "student")
    model = AutoModelForSequenceClassification.from_pretrained(folder / "student")
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            output = layer.attention.output.dense
            layer.attention.self.value.bias[3] += HUGE
            output.bias -= HUGE * output.weight[:, 3]
    model.save_pretrained(folder / "student")
    return folder


def _test_split(run: Path) -> tuple[list[str], list[str]]:
    pipeline = Pipeline.from_yaml(run / "pipeline.yaml")
    test = data.load(pipeline.data, "classes", pipeline.seed).test
    return [" ".join(text.split()) for (text,) in test.texts], [str(label) for label in test.labels or []]


def _predicted(folder: Path, *texts: str, python: str = sys.executable) -> list[dict[str, Any]]:
    command = [python, "-I", str(folder / "predict.py")]
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_folder_holds_what_is_needed_and_no_more(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == {
        "model.onnx",
        "model-int8.onnx",
        "tokenizer.json",
        "config.json",
        "predict.py",
        "README.md",
        "export.json",
    }
    sizes = {name: (exported / name).stat().st_size for name in ("model.onnx", "model-int8.onnx")}
    assert sizes["model-int8.onnx"] < sizes["model.onnx"] / 3
    assert not [path for path in exported.parent.iterdir() if path.name.startswith(".")]


def test_scores_are_those_of_transformers_and_of_the_script(run: Path, exported: Path) -> None:
    """The original's by transformers alone, int8's by the script alone, both against scikit-learn."""
    texts, labels = _test_split(run)
    said = json.loads((exported / "export.json").read_text())["forms"]
    model = AutoModelForSequenceClassification.from_pretrained(run / "student")
    tokenizer = AutoTokenizer.from_pretrained(run / "student")
    with torch.inference_mode():
        logits = [
            model(**tokenizer(text, truncation=True, max_length=32, return_tensors="pt")).logits for text in texts
        ]
    original = [model.config.id2label[int(row.argmax())] for row in logits]
    by_script = [found["label"] for found in _predicted(exported, *texts)]
    positive = model.config.id2label[1]
    assert said["original"]["scores"]["f1"] == pytest.approx(f1_score(labels, original, pos_label=positive), abs=1e-9)
    assert said["model-int8.onnx"]["scores"]["f1"] == pytest.approx(f1_score(labels, by_script, pos_label=positive))
    agreement = np.mean([one == other for one, other in zip(original, by_script, strict=True)])
    assert said["model-int8.onnx"]["parity"]["agreement"] == pytest.approx(agreement)
    assert said["model.onnx"]["parity"]["agreement"] == 1.0
    assert said["model.onnx"]["parity"]["max_difference"] < 1e-4
    assert said["model-int8.onnx"]["parity"]["max_difference"] > said["model.onnx"]["parity"]["max_difference"]


def test_weights_are_integers_of_seven_bits_with_a_scale_for_each_output(run: Path, exported: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(run / "student")
    weight = model.bert.encoder.layer[0].intermediate.dense.weight.detach().numpy()
    stored = {
        entry.name: onnx.numpy_helper.to_array(entry)
        for entry in onnx.load(exported / "model-int8.onnx").graph.initializer
    }
    (name,) = (
        name
        for name, found in stored.items()
        if found.dtype == np.int8 and found.shape == weight.T.shape and _is_near(stored, name, weight)
    )
    assert np.abs(stored[name].astype(int)).max() <= 64
    np.testing.assert_allclose(stored[name.replace("_quantized", "_scale")], np.abs(weight).max(axis=1) / 64, rtol=1e-2)


def _is_near(stored: dict[str, np.ndarray], name: str, weight: np.ndarray) -> bool:
    back = stored[name] * stored[name.replace("_quantized", "_scale")]
    return bool(np.abs(back.T - weight).max() <= np.abs(weight).max() / 64)


def test_a_model_that_int8_ruins_is_told_and_mended(
    spoiled: Path, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--out", spoiled / "onnx", "--quantize", "int8", "--opset", 18]
    assert _command(monkeypatch, "export", spoiled / "student", *asked) == 0
    shown = " ".join(capsys.readouterr().out.split())
    found = json.loads((spoiled / "onnx" / "export.json").read_text())["int8"]
    ruined = [f"bert.encoder.layer.{layer}.attention.output.dense/MatMul" for layer in (0, 1)]
    assert found["loss_of_all"] > 0.5
    assert sorted(found["left_in_float"]) == ruined
    assert found["loss"] <= 0.01
    assert f"int8 would cost {100 * found['loss_of_all']:.1f} % of f1" in shown
    written = onnx.load(spoiled / "onnx" / "model-int8.onnx")
    assert [entry.version for entry in written.opset_import if not entry.domain] == [18]
    assert {node.name for node in written.graph.node if node.op_type == "MatMul"} >= set(ruined)
    # Six matrices a layer, pooler and head; but for those two.
    assert len([node for node in written.graph.node if node.op_type == "MatMulInteger"]) == 2 * 6 + 2 - 2
    texts, labels = _test_split(spoiled)
    before = json.loads((exported / "export.json").read_text())["forms"]["original"]["scores"]["f1"]
    after = f1_score(labels, [said["label"] for said in _predicted(spoiled / "onnx", *texts)], pos_label="spam")
    assert after >= 0.99 * before


def test_the_tokenizer_cuts_and_splits_as_transformers_does(run: Path, exported: Path) -> None:
    texts, _ = _test_split(run)
    own = AutoTokenizer.from_pretrained(run / "student")
    alone = Tokenizer.from_file(str(exported / "tokenizer.json"))
    long = " ".join(texts[:5])
    assert alone.encode(long).ids == own(long, truncation=True, max_length=32)["input_ids"]
    assert len(alone.encode(long).ids) == 32
    padded = own(texts[:7], truncation=True, max_length=32, padding=True)
    assert [read.ids for read in alone.encode_batch(texts[:7])] == padded["input_ids"]
    assert [read.attention_mask for read in alone.encode_batch(texts[:7])] == padded["attention_mask"]


def test_the_card_is_read_by_the_hub_and_tells_the_figures(run: Path, exported: Path) -> None:
    card = ModelCard.load(exported / "README.md")
    scores = json.loads((exported / "export.json").read_text())["forms"]["model-int8.onnx"]["scores"]
    assert card.data.pipeline_tag == "text-classification"
    assert {result.metric_type: result.metric_value for result in card.data.eval_results or []} == pytest.approx(
        scores, abs=1e-4
    )
    assert card.data.base_model is None  # a folder is none that the hub knows
    assert f"{scores['f1']:.4f}" in card.text
    assert "asset:sms-spam" in card.text
    assert "```console" in card.text


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_need_two_packages_beside_numpy_and_are_short(script: Path) -> None:
    tree = ast.parse(script.read_text())
    named = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert named - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "tokenizers"}


def test_it_works_where_there_is_neither_torch_nor_transformers(exported: Path, run: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = ["onnxruntime", "tokenizers", "numpy"]
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary",
        ":all:",
        *packages,
    ]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        pytest.skip(f"pip reaches no index: {installed.stderr.strip().splitlines()[-1]}")
    for package in ("torch", "transformers"):
        assert subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode != 0
    shutil.copytree(exported, tmp_path / "elsewhere")
    texts, _ = _test_split(run)
    assert _predicted(tmp_path / "elsewhere", *texts[:20], python=str(python)) == _predicted(exported, *texts[:20])


def test_bench_shows_and_writes_figures(
    run: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    assert _command(monkeypatch, "bench", run / "student", exported, "--threads", 2, "--out", tmp_path / "bench") == 0
    assert torch.get_num_threads() == threads
    assert "texts a second" in capsys.readouterr().out
    found = json.loads((tmp_path / "bench" / "bench.json").read_text())
    names = [run / "student", exported / "model.onnx", exported / "model-int8.onnx"]
    assert [one["name"] for one in found] == [str(name) for name in names]
    recorded = json.loads((run / "run.json").read_text())["latency"]["student"]
    for one in found:
        latency = one["latency"]
        assert latency.keys() == recorded.keys()
        assert 0 < latency["median_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
        assert latency["sentences_per_second"] > 0
        assert latency["sentences"] == recorded["sentences"] == 200
        assert latency["threads"] == 2
        assert one["tokenizer_ms"] > 0


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["distiller", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _without(student: Path, folder: Path, *names: str) -> Path:
    shutil.copytree(student, folder)
    for name in names:
        (folder / name).unlink()
    return folder


def test_faults_are_one_line_and_leave_nothing(
    run: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    bare = _without(run / "student", tmp_path / "bare", "tokenizer.json", "tokenizer_config.json")
    alone = _without(run / "student", tmp_path / "alone")
    headless = run.parent / "encoder"
    cases: list[tuple[list[object], str]] = [
        ([run / "student", "--out", exported], "is not empty"),
        ([run / "student", "--out", tmp_path / "file"], "is a file"),
        ([run / "student", "--out", tmp_path / "file" / "onnx"], "cannot be written"),
        ([bare, "--out", tmp_path / "onnx"], "holds no tokenizer"),
        ([alone, "--out", tmp_path / "onnx", "--quantize", "int8"], "int8 is judged on real texts"),
        ([headless, "--out", tmp_path / "onnx"], "no head"),
        ([run, "--out", tmp_path / "onnx"], "holds no model itself"),
        ([run / "student", "--out", tmp_path / "onnx", "--opset", "99"], "one of 18 to 23"),
        ([alone, "--out", tmp_path / "onnx", "--set", "seed=1"], "name the --pipeline to be changed"),
    ]
    for arguments, mend in cases:
        assert _command(monkeypatch, "export", *arguments) == 2, mend
        (line,) = capsys.readouterr().err.splitlines()
        assert mend in line
        assert {path.name for path in tmp_path.iterdir()} == {"file", "bare", "alone"}


def test_an_operator_that_onnx_lacks_is_named(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bessel(torch.nn.Module):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(states)

    monkeypatch.setitem(ACT2FN, "bessel", Bessel)
    student = _without(run / "student", tmp_path / "student")
    config = json.loads((student / "config.json").read_text())
    (student / "config.json").write_text(json.dumps({**config, "hidden_act": "bessel"}))
    with pytest.raises(UserError, match=r"cannot be written as ONNX with opset 20: .*bessel_j0") as raised:
        export(str(student), tmp_path / "onnx")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(package: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"{package} is not installed; pip install 'distiller\[export\]'"):
        export(str(run / "student"), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_bench_refuses_what_it_cannot_time(run: Path, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name a pipeline with --pipeline"):
        bench([str(run.parent / "encoder")])
    (tmp_path / "other").mkdir()
    shutil.copy(exported / "model.onnx", tmp_path / "other")
    with pytest.raises(UserError, match="is no folder of distiller export"):
        bench([str(run / "student"), str(tmp_path / "other")])
    content = yaml.safe_load((run / "pipeline.yaml").read_text())
    other = Pipeline.from_text(
        yaml.safe_dump({**content, "task": "regression", "metric": None, "data": {"source": "asset:hutto-movies"}}),
        "test",
    )
    with pytest.raises(UserError, match="is for classification"):
        bench([str(exported)], other)


def test_the_command_has_the_defaults_of_the_function() -> None:
    of_command, of_function = signature(export_command).parameters, signature(export).parameters
    for name in ("opset", "max_loss"):
        assert of_command[name].default == of_function[name].default
