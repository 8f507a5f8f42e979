import json
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from distiller.runs import import_table
from processes import run_command

REPOSITORY = Path(__file__).resolve().parent.parent.parent
MAPPING = REPOSITORY / "examples" / "paper-runs.yaml"


@pytest.fixture(scope="module")
def of_paper(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    """What the command makes of the paper's table as run records, and says."""
    records, out = (tmp_path_factory.mktemp(name) for name in ("records", "analysis"))
    import_table(MAPPING, shared_data / "paper" / "runs.csv", records)
    return out, run_command("analyze", records, "--out", out)


def test_the_runs_of_the_paper_become_a_report(of_paper: tuple[Path, CompletedProcess[str]]) -> None:
    out, done = of_paper
    assert done.returncode == 0, done.stderr
    assert "809 of 809 runs on 5 datasets with 4 teachers are used." in done.stdout
    content = json.loads((out / "analysis.json").read_text())
    assert (out / "report.html").read_text().count("<svg") >= 4
    assert {path.suffix for path in (out / "figures").iterdir()} == {".svg", ".png"}
    assert {row["method"] for row in content["importance"]} == {"functional ANOVA", "PED-ANOVA", "permutation"}
    assert {row["scope"] for row in content["contrasts"]} == {"overall", "dataset", "data size", "student size"}


def test_contrasts_of_the_paper_agree_with_pairs_of_runs_that_differ_in_one_thing(
    of_paper: tuple[Path, CompletedProcess[str]], shared_data: Path
) -> None:
    """Where runs are alike in all else, the mean of their differences needs no model; each dataset counts the same."""
    table = pd.read_csv(shared_data / "paper" / "runs.csv")
    kinds = ["mi", "pkd"]
    alike = ["Model", "Teacher", "task", "intermediate_strategy", "kd_loss_type", "mixup", "repeated_aug"]
    alike += ["contextual", "backtranslation", "random"]
    means = table[table["intermediate_loss_type"].isin(kinds)]
    means = means.groupby([*alike, "intermediate_loss_type"])["ratio"].mean().unstack().dropna()
    paired = means["mi"] - means["pkd"]
    of_task = paired.groupby("task").agg(["mean", "std", "size"])
    error = np.sqrt((of_task["std"] ** 2 / of_task["size"]).sum()) / len(of_task)
    out, _ = of_paper
    contrasts = pd.DataFrame(json.loads((out / "analysis.json").read_text())["contrasts"])
    [found] = contrasts.query("scope == 'overall' and level == 'mi' and other == 'pkd'").to_dict("records")
    assert of_task["size"].min() >= 3
    # A model draws datasets towards each other, which pairs do not: RTE, where the two differ most, counts for less.
    assert abs(found["difference"] - of_task["mean"].mean()) < 3 * error
    assert found["low"] < of_task["mean"].mean() < found["high"]


def test_a_folder_without_records_is_one_line(tmp_path: Path) -> None:
    done = run_command("analyze", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "run.json" in done.stderr
    assert not (tmp_path / "out").exists()


def test_few_runs_are_a_sentence_and_a_report(tmp_path: Path) -> None:
    pd.DataFrame({"retention": [0.9, 0.95], "pipeline.mapping.type": ["skip", "last"]}).to_csv(tmp_path / "few.csv")
    done = run_command("analyze", tmp_path / "few.csv", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "2 finished runs with a retention: too few" in done.stdout
    assert "2 finished runs with a retention: too few" in (tmp_path / "out" / "report.html").read_text()
