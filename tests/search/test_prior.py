"""What known runs foretell: used where it is right, corrected where it is wrong, and a reason to stop."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from optuna.trial import TrialState
from scipy.integrate import quad
from scipy.stats import norm
from typer.testing import CliRunner

from conftest import Written
from distiller import SearchConfig, UserError, search
from distiller.cli.main import app
from distiller.search.prior import NOISE, OFFSET, Prior, expected_improvement
from distiller.search.space import read_space
from distiller.search.study import Study
from recommend_tables import runs

FIELDS = [f"field{number}" for number in range(5)]
SPACE = {name: [0, 1, 2] for name in FIELDS}
Truth = Callable[[Mapping[str, Any]], float]


def _truth(point: Mapping[str, Any]) -> float:
    """One of 243 points is the best: 2 in every field; two fields matter together, too."""
    return 0.9 + 0.01 * sum(point.values()) + 0.01 * point["field0"] * point["field1"]


def _prior(foretold: Truth, seconds: Truth = lambda _: 60.0) -> Prior:
    space = read_space(SPACE, "test")
    points = space.points()
    return Prior(space, points, np.array([foretold(one) for one in points]), np.array([seconds(one) for one in points]))


def _study(prior: Prior, seed: int = 0, **given: Any) -> Study:
    config = SearchConfig.model_validate(
        {"base": "", "space": SPACE, "sampler": "prior", "knowledge": "known", "seed": seed, **given}
    )
    return Study(config, prior.space, optuna.create_study(direction="maximize"), lambda asked: asked(), prior)


def _tried(study: Study, trials: int, truth: Truth = _truth) -> list[dict[str, Any]]:
    points = []
    for _ in range(trials):
        proposed = study.propose(lambda _: None)
        assert proposed is not None
        points.append(proposed[1])
        study.end(proposed[0], TrialState.COMPLETE, [truth(proposed[1])])
    return points


def _needed(points: list[dict[str, Any]]) -> int:
    return next(place for place, point in enumerate(points) if _truth(point) == pytest.approx(1.04))


def test_a_prior_that_is_right_but_for_its_level_and_scale_finds_the_best_at_once_and_none_takes_longer() -> None:
    assert _needed(_tried(_study(_prior(lambda point: 0.2 + 0.3 * _truth(point))), 1)) == 0
    assert 0 < _needed(_tried(_study(_prior(lambda _: 0.9)), 100)) < 99


def test_a_prior_that_is_roughly_right_finds_it_sooner_than_none() -> None:
    """It does not know of what two fields do together, and is off by as much as a field matters."""

    def rough(seed: int) -> Truth:
        errors = np.random.default_rng(seed).normal(0, 0.01, size=243)
        return lambda point: (
            0.9 + 0.01 * sum(point.values()) + errors[sum(point[n] * 3**i for i, n in enumerate(FIELDS))]
        )

    with_prior = [_needed(_tried(_study(_prior(rough(seed))), 60)) for seed in range(5)]
    without = _needed(_tried(_study(_prior(lambda _: 0.9)), 100))
    assert np.median(with_prior) < without


def test_a_prior_that_is_the_wrong_way_round_is_corrected_in_the_end() -> None:
    points = _tried(_study(_prior(lambda point: -_truth(point))), 60)
    assert _truth(points[0]) == pytest.approx(0.9)  # it begins with the worst of all
    assert _needed(points) < 60


def test_of_two_that_are_alike_the_cheaper_is_tried_first() -> None:
    study = _study(_prior(lambda _: 0.9, lambda point: 60.0 * (1 + point["field4"])))
    assert _tried(study, 1)[0]["field4"] == 0
    dear = _study(_prior(lambda point: 0.9 + 0.05 * point["field4"], lambda point: 60.0 * (1 + point["field4"])))
    assert _tried(dear, 1)[0]["field4"] == 2  # what is worth its price is bought


def test_no_point_twice_and_once_all_are_tried_the_space_is_used_up() -> None:
    space = {"field0": [0, 1, 2]}
    points = [{"field0": value} for value in (0, 1, 2)]
    prior = Prior(read_space(space, "test"), points, np.array([0.1, 0.2, 0.3]), np.ones(3))
    study = _study(prior, space=space)
    assert [point["field0"] for point in _tried(study, 3, lambda point: 0.9)] == [2, 1, 0]
    assert study.propose(lambda _: None) is None


def test_points_that_are_no_pipelines_do_not_end_a_search_however_many_known_runs_speak_for() -> None:
    study = _study(_prior(lambda point: 0.9 + 0.1 * (point["field0"] > 0)))
    proposed = study.propose(lambda point: "no" if point["field0"] > 0 or point["field1"] > 1 else None)
    assert proposed is not None
    assert proposed[1]["field0"] == 0


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.9, 0.02, 0.91), (0.95, 0.01, 0.9), (0.8, 0.05, 0.99)])
def test_expected_improvement_is_the_integral_that_it_stands_for(mean: float, deviation: float, best: float) -> None:
    expected, _ = quad(lambda y: (y - best) * norm.pdf(y, mean, deviation), best, mean + 12 * deviation)
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)
    assert found[0] == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_improvements_are_those_of_a_gaussian_process_computed_by_hand() -> None:
    """One choice of three; two were measured. Residuals, kernel, scale and the mean by their formulas."""
    space = {"field0": [0, 1, 2]}
    points = [{"field0": value} for value in (0, 1, 2)]
    expected = np.array([0.90, 0.92, 0.97])
    study = _study(Prior(read_space(space, "test"), points, expected, np.ones(3)), space=space, first=points[:2])
    _tried(study, 2, lambda point: [0.93, 0.96][point["field0"]])
    z = 0.3 * expected / expected.std()
    apart = (2 / 3) * (1 - np.eye(3)) + (z[:, None] - z) ** 2
    kernel = np.exp(-apart / 2) + OFFSET
    seen = kernel[:2, :2] + NOISE * np.eye(2)
    left = np.array([0.93, 0.96]) - expected[:2]
    known = (expected.std() / 0.4) ** 2
    scale = (4 * known + left @ np.linalg.solve(seen, left)) / 6
    mean = expected + kernel[:, :2] @ np.linalg.solve(seen, left)
    variance = scale * (kernel - kernel[:, :2] @ np.linalg.solve(seen, kernel[:2]))[2, 2]
    u = (mean[2] - mean[:2].max()) / np.sqrt(variance)
    assert study.prior is not None
    found = study.prior.improvements(study.trials())
    assert found[2] == pytest.approx(np.sqrt(variance) * (u * norm.cdf(u) + norm.pdf(u)), rel=1e-6)
    assert found[:2].tolist() == [-1.0, -1.0]
    # Gain an hour: both took 90 s where 1 was foretold, so that the third is expected to take 90 s.
    assert study.gain_an_hour({0: 90.0, 1: 90.0}) == pytest.approx(found[2] * 40)


def test_a_trial_that_was_pruned_says_what_those_that_ended_gained_from_there() -> None:
    """Two ended 0.05 above their first epoch; a third, pruned at 0.90, counts as one that ended at 0.95."""
    prior = _prior(lambda point: 0.9 + 0.001 * point["field0"])
    pruned, ended = _study(prior), _study(prior)
    for place, value in enumerate((0.99, 0.97, 0.95)):
        for study in (pruned, ended):
            proposed = study.propose(lambda _: None)
            assert proposed is not None
            if place < 2 or study is pruned:
                study.report(place, 1, value - 0.05)
            if place < 2 or study is ended:
                study.end(place, TrialState.COMPLETE, [value])
            else:
                study.end(place, TrialState.PRUNED, None)
    assert pruned.trials()[2].params == ended.trials()[2].params
    assert pruned.propose(lambda _: None) == ended.propose(lambda _: None)


def test_trials_that_still_run_are_not_proposed_again_nor_their_like() -> None:
    """Less is expected of its like once it runs: it is taken to come to what is expected of it."""
    prior = _prior(lambda _: 0.9)
    study = _study(prior)
    _tried(study, 3)
    before = prior.improvements(study.optuna_study.get_trials())
    proposed = study.propose(lambda _: None)
    assert proposed is not None
    after = prior.improvements(study.optuna_study.get_trials())
    assert after[prior.points.index(proposed[1])] == -1
    apart = np.array([sum(point[name] != proposed[1][name] for name in FIELDS) for point in prior.points])
    share = np.where(after >= 0, after / before, np.nan)
    assert np.nanmax(share[apart == 1]) < 0.95


def test_a_search_that_was_killed_proposes_what_it_would_have_proposed(tmp_path: Path) -> None:
    """From its file, in another process's place; killed also between a point being chosen and its trial."""
    prior = _prior(lambda point: 0.9 + 0.01 * point["field2"])
    undisturbed = _tried(_study(prior), 12)
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    prior.write(tmp_path)
    for place in range(12):
        read = Prior.read(prior.space, tmp_path)
        again = optuna.create_study(storage=storage, study_name="s", direction="maximize", load_if_exists=True)
        study = Study(_study(read).config, read.space, again, lambda asked: asked(), read)
        if place % 3 == 1:
            point = read.next_point(again.get_trials())
            assert point is not None
            again.enqueue_trial(point)
        assert _tried(study, 1) == undisturbed[place : place + 1]


def test_nothing_to_gain_is_seen_and_something_to_gain_too() -> None:
    """Where all pipelines come to the same there is ever less to gain; where better ones are left there is much."""
    flat, rising = _study(_prior(lambda _: 0.9)), _study(_prior(_truth), first=[dict.fromkeys(FIELDS, 0)])
    _tried(rising, 1)
    before = rising.gain_an_hour({0: 60.0})
    assert before == pytest.approx(60 * 0.14, rel=0.2)  # the best is foretold to be so much better, a minute away
    _tried(rising, 1)
    assert _needed([rising.space.suggested(rising.running(1))]) == 0
    assert rising.gain_an_hour({0: 60.0, 1: 60.0}) < before / 10
    gains = []
    for count in range(1, 25):
        _tried(flat, 1, lambda _: 0.95)
        gains.append(flat.gain_an_hour(dict.fromkeys(range(count), 60.0)))
    assert gains[-1] < gains[0] / 3
    assert gains[-1] < before / 100
    assert flat.gain_an_hour(dict.fromkeys(range(24), 6.0)) == pytest.approx(10 * gains[-1])
    assert _study(_prior(_truth)).gain_an_hour({}) == float("inf")  # nothing has ended


OF_RUNS = {
    "objective.intermediate.type": [None, "mi", "mse"],
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
}


@pytest.fixture
def known(tmp_path: Path) -> Path:
    runs(noise=0.002).to_csv(tmp_path / "known.csv", index=False)
    return tmp_path / "known.csv"


def test_a_search_with_knowledge_goes_on_by_it_and_keeps_what_it_foretold(
    search_file: Written, known: Path, own_cache: Path, tmp_path: Path
) -> None:
    given = {"space": OF_RUNS, "knowledge": str(known), "warm": 1, "confirm": None}
    search(search_file(**given, trials=2), tmp_path / "killed")
    began = (tmp_path / "killed" / "prior.json").read_text()
    assert yaml.safe_load((tmp_path / "killed" / "search.yaml").read_text())["sampler"] == "prior"
    foretold = json.loads(began)
    expected = dict(zip(map(str, foretold["points"]), foretold["expected"], strict=True))
    kinds = {point["objective.intermediate.type"]: expected[str(point)] for point in foretold["points"]}
    assert max(kinds, key=kinds.__getitem__) == "mi"
    undisturbed = search(search_file(**given, trials=4), tmp_path / "undisturbed").summary
    runs(seed=5).to_csv(known, index=False)  # more becomes known meanwhile
    resumed = search(search_file(**given, trials=4), tmp_path / "killed").summary
    assert [one["point"] for one in resumed["trials"]] == [one["point"] for one in undisturbed["trials"]]
    assert (tmp_path / "killed" / "prior.json").read_text() == began
    (tmp_path / "killed" / "prior.json").unlink()
    with pytest.raises(UserError, match=r"prior\.json: cannot be read, and the search began with it; put it back"):
        search(search_file(**given, trials=5), tmp_path / "killed")


def test_a_search_that_began_without_the_prior_goes_on_without_it(
    search_file: Written, known: Path, own_cache: Path, tmp_path: Path
) -> None:
    """As one of an earlier version that had no such sampler."""
    given = {"space": OF_RUNS, "knowledge": str(known), "warm": 1, "confirm": None}
    search(search_file(**given, sampler="tpe", trials=1), tmp_path / "out")
    before = yaml.safe_load((tmp_path / "out" / "search.yaml").read_text())
    del before["worth"]
    (tmp_path / "out" / "search.yaml").write_text(yaml.safe_dump(before))
    assert len(search(search_file(**given, trials=2), tmp_path / "out").summary["trials"]) == 2
    assert not (tmp_path / "out" / "prior.json").exists()


def test_a_search_that_began_without_the_prior_cannot_ask_what_a_trial_is_worth(
    search_file: Written, known: Path, own_cache: Path, tmp_path: Path
) -> None:
    given = {"space": OF_RUNS, "knowledge": str(known), "warm": 1, "confirm": None, "trials": 1}
    search(search_file(**given, sampler="tpe"), tmp_path / "out")
    with pytest.raises(UserError, match="the search began with sampler: tpe, and goes on with it, but worth asks"):
        search(search_file(**given, worth=0.1), tmp_path / "out")


def test_a_search_ends_with_a_line_when_no_trial_is_worth_its_time(
    search_file: Written, known: Path, own_cache: Path, tmp_path: Path
) -> None:
    given = {"space": OF_RUNS, "knowledge": str(known), "warm": 2, "confirm": None, "trials": 6}
    ended = CliRunner().invoke(app, ["search", str(search_file(**given, worth=1e6)), "--out", str(tmp_path / "out")])
    assert ended.exit_code == 0, ended.output
    (line,) = [line for line in ended.stderr.splitlines() if "worth" in line]
    assert line.startswith("search: ends, since a further trial is expected to gain ")
    assert len(json.loads((tmp_path / "out" / "search.json").read_text())["trials"]) == 2
    went_on = search(search_file(**{**given, "trials": 4}, worth=1e-12), tmp_path / "out").summary
    assert len(went_on["trials"]) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "prior"}, "sampler: prior asks what known runs foretell; name them with knowledge, or use tpe"),
        (
            {"sampler": "prior", "knowledge": "k", "objectives": ["retention", "latency"]},
            "sampler: prior has one objective here; use tpe or nsga2",
        ),
        ({"worth": 0.1}, "worth asks what known runs foretell; set knowledge and sampler: prior, or remove worth"),
        ({"worth": 0.1, "knowledge": "k", "sampler": "tpe"}, "worth asks what known runs foretell"),
        ({"worth": -1, "knowledge": "k"}, "worth"),
    ],
)
def test_what_cannot_be_is_one_line(
    search_file: Written, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as refusal:
        search(search_file(**changes), tmp_path / "out")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()
