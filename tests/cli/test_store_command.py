"""`distiller store`, as a user types it."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from distiller.store import store_folder
from processes import run_command
from tiny_runs import pipeline_of

pytestmark = pytest.mark.usefixtures("own_cache")


def _run(*arguments: Any) -> "subprocess.CompletedProcess[str]":
    return run_command("store", *arguments, COLUMNS="200")


@pytest.fixture
def built(tiny_bert: Path, tmp_path: Path) -> Path:
    pipeline_of(tiny_bert).to_yaml(tmp_path / "pipeline.yaml")
    done = _run("build", tmp_path / "pipeline.yaml")
    assert done.returncode == 0, done.stderr
    assert "outputs of 64 of 64 texts are computed once" in done.stdout
    return tmp_path / "pipeline.yaml"


def test_what_was_built_is_listed_and_not_built_again(built: Path, tiny_bert: Path, tmp_path: Path) -> None:
    listed = _run("ls", "--out", tmp_path / "listing")
    assert listed.returncode == 0
    (entry,) = json.loads((tmp_path / "listing" / "store.json").read_text())["entries"]
    assert entry["texts"] == dict.fromkeys(["hidden_states-0", "hidden_states-2", "hidden_states-4", "logits"], 64)
    assert entry["about"]["model"] == str(tiny_bert)
    on_disk = sum(path.stat().st_size for path in store_folder().rglob("*") if path.is_file())
    assert entry["bytes"] == on_disk
    assert f"{on_disk / 1e6:.1f} MB" in listed.stdout
    again = _run("build", built, "--out", tmp_path / "built")
    assert "outputs of all 64 texts are there" in again.stdout
    (same,) = json.loads((tmp_path / "built" / "store.json").read_text())["entries"]
    assert (same["folder"], same["texts"]) == (entry["folder"], entry["texts"])


def test_damage_is_found_and_removed(built: Path) -> None:
    assert _run("verify").stdout.strip() == "0 damaged of 4 kinds of output"
    (shard,) = store_folder().glob("*/logits/*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-1])
    found = _run("verify")
    assert found.returncode == 0
    assert found.stdout.split("\n")[:2] == [f"damaged: {shard}", "1 damaged of 4 kinds of output"]
    assert not shard.exists()
    assert "outputs of 64 of 64 texts are computed once" in _run("build", built).stdout


def test_what_another_version_has_kept_is_left_alone(built: Path) -> None:
    """Its files have another checksum for a name."""
    (about,) = store_folder().glob("*/about.json")
    content = json.loads(about.read_text())
    del content["checksum"]
    about.write_text(json.dumps(content))
    (shard,) = store_folder().glob("*/logits/*.safetensors")
    shard = shard.rename(shard.with_name(f"{'0' * 64}.safetensors"))
    assert _run("verify").stdout.startswith("0 damaged")
    assert shard.exists()


def test_pruned_by_age_or_size(built: Path, tmp_path: Path) -> None:
    refused = _run("prune")
    assert refused.returncode == 2
    assert refused.stderr.strip() == ("store prune: say what to remove: --unused-days DAYS, --to-gb GIGABYTES, or both")
    assert _run("prune", "--unused-days", 1, "--to-gb", 1).stdout == ""
    (about,) = store_folder().glob("*/about.json")
    three_days_ago = time.time() - 3 * 24 * 3600
    os.utime(about, (three_days_ago, three_days_ago))
    assert "removed" in _run("prune", "--unused-days", 2).stdout
    assert not [*store_folder().glob("*")]
    assert _run("build", built).returncode == 0
    assert "removed" in _run("prune", "--to-gb", 0, "--out", tmp_path / "left").stdout
    assert json.loads((tmp_path / "left" / "store.json").read_text()) == {"entries": [], "damaged": []}
    assert not [*store_folder().glob("*")]
    assert _run("ls").stdout.strip() == "0 GB of 0 teachers"
