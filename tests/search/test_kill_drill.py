"""Searches whose driver and workers are killed at random moments, for real: nothing is lost, nothing is done twice."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from conftest import Written
from distiller import search
from distiller.runs import load

TRIALS, KILLS = 8, 12
COMMAND = [sys.executable, "-m", "distiller", "search"]


def _trials(out: Path) -> list[optuna.trial.FrozenTrial]:
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{out / 'study.db'}")
    return optuna.load_study(study_name=study.study_name, storage=f"sqlite:///{out / 'study.db'}").trials


def _workers(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        inside = psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in inside if _trains(process)]


def _trains(process: psutil.Process) -> bool:
    try:
        return any("log.txt" in opened.path for opened in process.open_files())
    except psutil.Error:
        return False


def _killed_until_it_ends(arguments: list[str], seed: int) -> int:
    """Run a search, killing its driver or one of its workers again and again; gives the number of kills."""
    moments, kills = random.Random(seed), 0
    while True:
        driver = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while driver.poll() is None:
            try:
                driver.wait(moments.uniform(0.3, 2.0))
            except subprocess.TimeoutExpired:
                if kills >= KILLS:
                    continue
                workers = _workers(driver)
                if workers and moments.random() < 0.6:
                    moments.choice(workers).kill()
                else:
                    os.kill(driver.pid, signal.SIGKILL)
                kills += 1
        if driver.returncode == 0:
            return kills
        assert driver.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("own_cache")
def test_a_search_that_is_killed_again_and_again_ends_as_one_that_was_not(search_file: Written, tmp_path: Path) -> None:
    file = search_file(trials=TRIALS)
    undisturbed = search(file, tmp_path / "undisturbed")
    killed = tmp_path / "killed"
    kills = _killed_until_it_ends([str(file), "--out", str(killed), "--workers", "2"], seed=0)
    assert kills >= 10
    trials = _trials(killed)
    assert [trial.state for trial in trials] == [optuna.trial.TrialState.COMPLETE] * TRIALS
    assert sorted(path.name for path in (killed / "runs").iterdir()) == [f"{number:04d}" for number in range(TRIALS)]
    # With so few trials all are drawn by the seed alone, so that each is the one of the undisturbed search.
    assert [trial.params for trial in trials] == [trial.params for trial in _trials(tmp_path / "undisturbed")]
    assert [trial.values for trial in trials] == [trial.values for trial in _trials(tmp_path / "undisturbed")]
    summary = json.loads((killed / "search.json").read_text())
    assert summary["winner"] == undisturbed.summary["winner"]
    records = load(killed / "runs")
    assert len(records) == TRIALS
    assert {*records["status"]} == {"finished"}
    before: Any = load(tmp_path / "undisturbed" / "runs")
    columns = ["pipeline.objective.intermediate.type", "metrics.score", "retention"]
    assert records.sort_values("metrics.score")[columns[1:]].to_numpy().tolist() == (
        before.sort_values("metrics.score")[columns[1:]].to_numpy().tolist()
    )
