"""Searches from their file to what they leave."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import TrialState
from transformers import AutoModelForSequenceClassification
from typer.testing import CliRunner

import distiller
from conftest import Written
from distiller import Pipeline, SearchConfig, UserError, search
from distiller.cli.main import app
from distiller.runs import load, new_record
from distiller.search.driver import Driver
from distiller.search.executors import Ended, Job
from distiller.search.progress import Progress
from distiller.search.result import chances_of_being_best
from distiller.search.study import open_study
from distiller.search.trial import Outcome
from processes import run_command

pytestmark = pytest.mark.usefixtures("own_cache")


def _trials(out: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{out / 'study.db'}"
    (study,) = optuna.get_all_study_summaries(storage)
    return optuna.load_study(study_name=study.study_name, storage=storage).trials


def test_a_search_leaves_the_best_by_validation_its_records_and_a_report(search_file: Written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    file = search_file(trials=3, confirm={"top": 2, "seeds": 1})
    ran = CliRunner().invoke(app, ["search", str(file), "--out", str(out), "--trials", "4"])
    assert ran.exit_code == 0, ran.output
    summary = json.loads((out / "search.json").read_text())
    trials = _trials(out)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    for trial in trials:
        record = json.loads((out / "runs" / f"{trial.number:04d}" / "run" / "run.json").read_text())
        metric = record["metrics"]["primary"]
        best = max(entry[f"eval_{metric}"] for entry in record["metrics"]["history"] if f"eval_{metric}" in entry)
        assert trial.values == [best / record["metrics"]["teacher"]["validation"][metric]]
        assert record["pipeline"]["training"]["learning_rate"] == trial.params["training.learning_rate"]
    ranked = sorted(trials, key=lambda trial: -trial.values[0])
    assert [one["trial"] for one in summary["candidates"]] == [trial.number for trial in ranked[:2]]
    assert all(len(one["retentions"]) == 2 for one in summary["candidates"])
    means = {one["trial"]: sum(one["retentions"]) / 2 for one in summary["candidates"]}
    assert summary["winner"]["runs"] == 2
    assert means[summary["winner"]["trial"]] == max(means.values())
    assert sum(one["chance"] for one in summary["candidates"]) == pytest.approx(1.0)
    assert AutoModelForSequenceClassification.from_pretrained(out / "best" / "student").config.num_hidden_layers == 2
    assert json.loads((out / "best" / "run.json").read_text())["metrics"]["score"] == summary["winner"]["test_score"]
    frame = load(out / "runs")
    assert len(frame) == 6
    seeds = frame["pipeline.training.seed"]
    assert seeds.isna().sum() == 4
    assert {*seeds.dropna()} == {1.0}
    page = (out / "report.html").read_text()
    assert "best so far" in page
    assert page.count("<svg") == 2


def test_the_same_command_goes_on_and_finished_trials_are_not_run_again(search_file: Written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    search(search_file(trials=2), out)
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("outcome.json")}
    search(search_file(trials=3), out, resume=True)
    assert len(_trials(out)) == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    students = [path.parent.parent.name for path in (out / "runs").glob("*/run/student")]
    (best,) = students  # of the others none could win any more
    again = search(search_file(trials=3, confirm={"top": 3, "seeds": 1}), out).summary
    assert len(again["candidates"]) == 3
    assert (out / "best" / "student" / "config.json").exists()
    assert best == f"{json.loads((out / 'search.json').read_text())['candidates'][0]['trial']:04d}"


def test_pruned_trials_are_recorded_as_such_and_go_no_further(search_file: Written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    space = {"training.learning_rate": [1e-3, 1e-2, 1e-9, 1e-8, 1e-7]}
    file = search_file(space=space, sampler="grid", trials=5, pruner="asha", reduction=2, rung=1)
    search(file, out)
    states = [trial.state for trial in _trials(out)]
    assert states[0] == TrialState.COMPLETE
    assert TrialState.PRUNED in states
    for trial in _trials(out):
        record = json.loads((out / "runs" / f"{trial.number:04d}" / "run" / "run.json").read_text())
        assert record["status"] == {"COMPLETE": "finished", "PRUNED": "pruned"}[trial.state.name]
        assert record["metrics"]["epochs"] == (2 if trial.state == TrialState.COMPLETE else 1)
        assert not (out / "runs" / f"{trial.number:04d}" / "run" / "checkpoints").exists()


def test_a_trial_that_fails_is_recorded_with_its_reason_and_the_search_goes_on(
    search_file: Written, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    space = {"training.learning_rate": [1e-3, 1e30]}
    summary = search(search_file(space=space, sampler="grid", trials=2), out).summary
    assert summary["trials"][1]["seconds"] > 0  # it counts against a budget
    fine, failed = _trials(out)
    assert (fine.state, failed.state) == (TrialState.COMPLETE, TrialState.FAIL)
    assert "finite" in failed.user_attrs["failure"]
    record = json.loads((out / "runs" / "0001" / "run" / "run.json").read_text())
    assert record["status"] == "failed"
    assert "finite" in record["metrics"]["error"]


def test_if_the_first_all_fail_alike_the_search_ends_with_the_reason(search_file: Written, tmp_path: Path) -> None:
    file = search_file(space={"training.learning_rate": {"low": 1e28, "high": 1e30, "log": True}}, trials=20)
    with pytest.raises(UserError, match=r"the first 5 trials all failed alike: .*finite"):
        search(file, tmp_path / "out")
    assert len(_trials(tmp_path / "out")) == 5


def test_what_is_no_pipeline_is_never_run(search_file: Written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    space = {"student.layers": [[0, 1], [0, 9]], "training.learning_rate": [1e-3, 2e-3]}
    summary = search(search_file(space=space, sampler="grid", trials=4), out).summary
    assert [trial["point"]["student.layers"] for trial in summary["trials"]] == ["[0, 1]"] * 2
    with pytest.raises(UserError, match=r"points in a row are no pipelines; the last: .* has no layer [89]"):
        search(search_file(space={"student.layers": [[0, 9], [8]]}), tmp_path / "none")


def test_given_points_are_tried_first_and_a_grid_ends(search_file: Written, tmp_path: Path) -> None:
    file = search_file(
        space={"training.epochs": [1, 2]},
        sampler="grid",
        first=[{"training.epochs": 2}],
        trials=9,
    )
    summary = search(file, tmp_path / "out").summary
    assert [trial["point"]["training.epochs"] for trial in summary["trials"]] == [2, 1]


def test_several_objectives_end_in_a_front(search_file: Written, tmp_path: Path) -> None:
    space = {"student.layers": [[0], [0, 1], [0, 1, 2]]}
    file = search_file(space=space, sampler="nsga2", objectives=["retention", "parameters"], trials=4)
    result = distiller.search(file, tmp_path / "out")
    values = {trial["trial"]: trial["values"] for trial in result.summary["trials"]}
    for number in result.summary["front"]:
        better = [other for other in values.values() if other[0] > values[number][0] and other[1] <= values[number][1]]
        assert not better


def test_the_seed_of_a_trial_says_what_it_comes_to_whatever_the_number_of_workers(
    search_file: Written, tmp_path: Path
) -> None:
    one = search(search_file(trials=3), tmp_path / "one").summary
    two = search(search_file(trials=3, executor={"type": "local", "workers": 3}), tmp_path / "two").summary
    assert [(trial["point"], trial["values"]) for trial in one["trials"]] == [
        (trial["point"], trial["values"]) for trial in two["trials"]
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "tpee"}, "sampler: unknown value 'tpee'; did you mean 'tpe'?"),
        ({"trails": 3}, "unknown field 'trails'; did you mean 'trials'?"),
        ({"objectives": ["retention", "latency"], "pruner": "asha"}, "compares one objective, and there are several"),
        ({"objectives": ["speed"]}, "objectives.0: unknown value 'speed'"),
        ({"objectives": ["parameters", "retention"]}, "objectives has to begin with retention"),
        ({"timeout": "2 weeks"}, "'2 weeks' is no time; write seconds, or e.g. 90s, 30m, 2h, 1d"),
        ({"space": {"training.epochs": []}}, "space.training.epochs: has no choices"),
        ({"base": "bsae.yaml"}, "cannot be read: No such file or directory; did you mean 'base.yaml'?"),
        (
            {"storage": "postgresql://nobody@127.0.0.1:9/none"},
            "storage: postgresql://nobody@127.0.0.1:9/none cannot be",
        ),
        ({"first": [{"training.epochs": 3}]}, "first: 'training.epochs' is not in the space"),
        ({"executor": {"type": "local", "workers": 0}}, "executor.workers"),
        (
            {"space": {"objective.intermediate.type": ["mi"], "objective.intermediate.alhpa": [1]}},
            "alhpa is no field of a",
        ),
        ({"space": {"training.epochs.x": [1]}}, "'x' stands below 2, which has no fields; correct the path"),
        ({"storage": "sqlite:///study.db"}, "sqlite:///study.db is seen from wherever the search is started; give"),
        ({"storage": "postgresql://u:p@h:abc/d"}, "storage: the address cannot be used"),
    ],
)
def test_a_bad_search_is_one_line_and_exit_code_2(
    search_file: Written, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as refusal:
        search(search_file(**changes), tmp_path / "out")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out" / "runs").exists()
    assert not (tmp_path / "out" / "search.yaml").exists()  # the mended one may have this folder


def test_a_further_teacher_that_is_not_there_is_named_by_its_place(
    search_file: Written, tiny_bert: Path, tmp_path: Path
) -> None:
    teachers = {"models": [str(tiny_bert), str(tmp_path / "absent")]}
    with pytest.raises(UserError, match=r"^teacher\.models\.1: "):
        search(search_file({"teacher": teachers}), tmp_path / "out")
    assert not (tmp_path / "out" / "search.yaml").exists()


def test_a_folder_of_another_search_or_of_something_else_is_refused(search_file: Written, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match="holds no search to go on with"):
        search(search_file(), out, resume=True)
    search(search_file(trials=1), out)
    with pytest.raises(UserError, match=r"search\.yaml: is another search than the one given: seed differs"):
        search(search_file(trials=1, seed=3), out)
    with pytest.raises(UserError, match=r"is another search than the one given: base differs"):
        search(search_file({"seed": 7}, trials=1), out)
    earlier = yaml.safe_load((out / "search.yaml").read_text())
    for field in ("warm", "knowledge", "target"):  # as a version left it that had no such fields
        del earlier[field]
    del earlier["base"]["training"]["gradient_clip"]
    (out / "search.yaml").write_text(yaml.safe_dump(earlier))
    assert len(search(search_file(trials=1), out).summary["trials"]) == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds no search\.yaml of a search to go on with"):
        search(search_file(), tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_outcomes_are_whole_or_not_there(tmp_path: Path) -> None:
    assert Outcome.read(tmp_path) is None
    (tmp_path / "outcome.json").write_text('{"until": 1, "sta')
    assert Outcome.read(tmp_path) is None


def test_how_sure_it_is_of_the_best() -> None:
    """Two candidates with n scores each and equal deviations: a t-test's one-sided p-value is the other's chance."""
    from scipy.stats import t

    first, second = [0.90, 0.92, 0.94], [0.89, 0.90, 0.91]
    chances = chances_of_being_best([first, second])
    pooled = (2 * 0.02**2 + 2 * 0.01**2) / 4
    expected = t.cdf((0.92 - 0.90) / (pooled * 2 / 3) ** 0.5, df=4)
    assert chances[0] == pytest.approx(expected, abs=0.015)
    assert chances_of_being_best([[0.9], [0.8]]) == [0.5, 0.5]
    assert chances_of_being_best([[0.9, 0.9], [0.9, 0.9]]) == [0.5, 0.5]


def test_the_file_is_yaml_and_its_base_lies_beside_it(search_file: Written, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("base: [")
    with pytest.raises(UserError, match="cannot be read as a search file"):
        search(tmp_path / "broken.yaml", tmp_path / "out")
    content = yaml.safe_load(search_file().read_text())
    assert content["base"] == "base.yaml"


def test_what_is_wrong_on_the_command_line_is_one_line(search_file: Written, tmp_path: Path) -> None:
    for option, value, message in (
        ("--trials", "0", "trials"),
        ("--timeout", "5x", "'5x' is no time"),
        ("--executor", "foo", "unknown type 'foo'"),
    ):
        ran = run_command("search", search_file(), "--out", tmp_path / "out", option, value)
        assert ran.returncode == 2, ran.stderr
        assert message in ran.stderr
        assert ran.stderr.count("\n") == 1


def test_a_file_of_the_users_own_is_left_alone(search_file: Written, tmp_path: Path) -> None:
    before = search_file().read_text()
    with pytest.raises(UserError, match=r"search\.yaml: is none that a search has left; name another --out"):
        search(search_file(), tmp_path)
    assert (tmp_path / "search.yaml").read_text() == before


def test_a_space_that_is_used_up_ends_the_search_and_no_point_runs_twice(search_file: Written, tmp_path: Path) -> None:
    summary = search(search_file(space={"training.epochs": [1, 2]}, trials=9), tmp_path / "out").summary
    assert sorted(trial["point"]["training.epochs"] for trial in summary["trials"]) == [1, 2]


def test_a_script_without_a_guard_for_its_main_can_search(search_file: Written, tmp_path: Path) -> None:
    file = search_file(trials=1)
    script = tmp_path / "script.py"
    script.write_text(
        f"import distiller\nprint(distiller.search({str(file)!r}, {str(tmp_path / 'out')!r}).best_path)\n"
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(tmp_path / "out" / "best")


class Instant:
    """An executor whose jobs end at once: what they come to is a function of their pipeline and the epochs."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.jobs: list[tuple[str, int]] = []
        self._ended: list[Ended] = []

    def submit(self, job: Job) -> None:
        self.jobs.append((job.name, job.until))
        pipeline = Pipeline.from_yaml(job.folder / "given.yaml")
        value = 1 - abs(pipeline.training.learning_rate - 0.003) * job.until
        status = "finished" if job.until == pipeline.training.epochs else "stopped"
        record = new_record(pipeline.model_dump(), 0)
        record.write(job.folder / "run")
        (job.folder / "outcome.json").write_text(json.dumps({"until": job.until, "status": status, "retention": value}))
        self._ended.append(Ended(job, None))

    def wait(self, seconds: float) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """There is nothing to stop."""


class KilledError(Exception):
    """In the place of a `kill -9`."""


def _driven(
    file: Path, out: Path, *, kill_in: str | None = None, calls: int = 0, after: bool = False
) -> tuple[Instant, list[Any]]:
    """The trials of a search whose jobs end at once, killed in a call of the study's if that is asked for."""
    config = SearchConfig.from_yaml(file)
    out.mkdir(exist_ok=True)
    executor = Instant()
    study = open_study(config, config.read_space(), out, "test")
    driver = Driver(config, config.pipeline(), study, executor, out, Progress(config.trials, ["retention"]))
    if kill_in is not None:
        original, left = getattr(study, kill_in), [calls]

        def dying(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0 and not after:
                raise KilledError
            answer = original(*arguments, **named)
            if left[0] < 0:
                raise KilledError
            return answer

        setattr(study, kill_in, dying)
    driver.check()
    try:
        driver.run()
    except KilledError:
        return executor, []
    return executor, study.trials()


@pytest.mark.parametrize("call", ["report", "end", "point", "running", "propose"])
@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whichever_step_it_is_killed_in_the_search_ends_as_it_would_have(
    search_file: Written, tmp_path: Path, call: str, number: int, *, after: bool
) -> None:
    """With halving, so that what has been judged matters; a call of the study raises in the place of a kill."""
    space = {"training.learning_rate": {"low": 1e-3, "high": 1e-2}, "training.warmup": {"low": 0.0, "high": 0.5}}
    file = search_file({"training": {"epochs": 4}}, space=space, trials=4, pruner="asha", reduction=2)
    undisturbed, trials = _driven(file, tmp_path / "undisturbed")
    before, nothing = _driven(file, tmp_path / "killed", kill_in=call, calls=number, after=after)
    if nothing:
        return  # it was not called so often
    again, resumed = _driven(file, tmp_path / "killed")
    assert [(one.state, one.params, one.values) for one in resumed] == [
        (one.state, one.params, one.values) for one in trials
    ]
    assert {*before.jobs, *again.jobs} == {*undisturbed.jobs}
