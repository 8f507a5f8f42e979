from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest

from analysis_responses import Response, response
from distiller.analysis.importance import functional_anova
from distiller.analysis.surrogate import fit_surrogate
from distiller.analysis.table import prepare

EFFECTS = {(0,): 0.5, (1,): 0.2, (0, 1): 0.2, (2, 3): 0.1}


def anova(frame: pd.DataFrame, reliability: float = 1.0) -> pd.DataFrame:
    return functional_anova(fit_surrogate(prepare(frame), np.random.default_rng(0)), reliability)


@pytest.fixture(scope="module")
def known() -> tuple[Response, pd.DataFrame]:
    """A response of four choices, and a thousand runs of it with hardly any noise."""
    random = np.random.default_rng(1)
    truth = response(EFFECTS, 4, random)
    return truth, truth.table(1000, lambda runs: 1e-4 * random.standard_normal(runs), random)


def test_shares_are_those_of_the_sums_of_squares(known: tuple[Response, pd.DataFrame]) -> None:
    truth, frame = known
    found = anova(frame).query("kind in ('choice', 'pair')").set_index("name")["value"]
    for name, share in truth.shares().items():
        assert found[name] == pytest.approx(share, abs=0.01), name


def test_shares_agree_with_the_forest_of_optuna_where_choices_do_not_act_together() -> None:
    """Single choices as shares of all single ones, which is what Optuna gives; its forest is coarser than our model."""
    random = np.random.default_rng(7)
    frame = response({(0,): 0.6, (1,): 0.3, (2,): 0.1}, 4, random).table(1000, np.zeros, random)
    names = [name for name in frame if name.startswith("pipeline.")]
    study = optuna.create_study()
    space = {name: optuna.distributions.CategoricalDistribution(("a", "b", "c")) for name in names}
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: row[name] for name in names}, distributions=space, value=row.retention
            )
            for _, row in frame.iterrows()
        ]
    )
    theirs = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    ours = anova(frame).query("kind == 'choice'").set_index("name")["value"]
    ours /= ours.sum()
    for name in names:
        assert ours[name.removeprefix("pipeline.")] == pytest.approx(theirs[name], abs=0.05), name


def test_shares_of_choices_and_pairs_add_to_one_and_so_do_those_of_stages(known: tuple[Response, pd.DataFrame]) -> None:
    shares = anova(known[1])
    assert shares[shares["kind"] != "group"]["value"].sum() == pytest.approx(1.0)
    assert shares[shares["kind"] == "group"]["value"].sum() == pytest.approx(1.0)


def test_what_datasets_disagree_on_is_found_as_such() -> None:
    random = np.random.default_rng(2)
    data, mapping = random.integers(4, size=800), random.integers(2, size=800)
    likes = np.array([1, 1, -1, -1])
    frame = pd.DataFrame(
        {
            "data.source": [f"data-{number}" for number in data],
            "pipeline.mapping.type": np.array(["skip", "last"])[mapping],
            "pipeline.objective.prediction.type": np.array(["ce", "kl"])[random.integers(2, size=800)],
            "retention": 0.9
            + 0.01 * likes[data] * (2 * mapping - 1)
            + 0.1 * data
            + 0.005 * random.standard_normal(800),
        }
    )
    shares = anova(frame).set_index("name")
    assert shares.loc["mapping.type × dataset", "low"] > 0.9
    assert shares.loc["mapping.type", "high"] < 0.05


def test_where_nothing_can_be_foretold_nothing_is_known(known: tuple[Response, pd.DataFrame]) -> None:
    assert not anova(known[1], reliability=-0.01)["known"].any()


def test_a_share_that_the_runs_do_not_support_is_unknown_and_not_zero() -> None:
    random = np.random.default_rng(3)
    frame = response({(0,): 1.0}, 3, random).table(24, lambda runs: 0.2 * random.standard_normal(runs), random)
    shares = anova(frame)
    unknown = shares[~shares["known"].astype(bool)]
    assert len(unknown)
    assert (unknown["high"] > 0.2).all()
    assert (unknown["low"] == 0).all()


def test_pairs_whose_levels_were_never_combined_are_unknown_and_what_is_seen_is_of_the_choices() -> None:
    """As in the paper's table, where only one student was ever trained with augmentation."""
    random = np.random.default_rng(4)
    student, copies, mapping = random.integers(4, size=400), np.zeros(400, int), random.integers(3, size=400)
    copies[:20] = 1
    student[:20] = 0
    frame = pd.DataFrame(
        {
            "pipeline.student.layers": student,
            "pipeline.augmentation.copies": copies,
            "pipeline.mapping.type": np.array(["skip", "last", "emd"])[mapping],
            "retention": 0.9 + 0.02 * student + 0.01 * mapping + 0.005 * random.standard_normal(400),
        }
    )
    table = prepare(frame)
    several = [functional_anova(fit_surrogate(table, np.random.default_rng(seed)), 1.0) for seed in range(3)]
    shares = several[0].set_index("name")
    pair = shares.loc[_pair_of(shares, "copies", "layers")]
    assert not pair["known"]
    assert np.isnan(pair["value"])
    assert (pair["low"], pair["high"]) == (0.0, 1.0)
    assert shares.loc[_pair_of(shares, "mapping", "layers"), "high"] < 0.05
    expected = 0.02**2 * 1.25 / (0.02**2 * 1.25 + 0.01**2 * 2 / 3)
    for each in several:
        of_student = each.set_index("name").loc["student.layers"]
        assert of_student["value"] == pytest.approx(expected, abs=0.05)
        assert of_student["low"] > 0.5


def _pair_of(shares: pd.DataFrame, one: str, other: str) -> str:
    return next(name for name in shares.index if one in name and other in name)


def test_draws_that_differ_between_quarters_are_called_unsettled(known: tuple[Response, pd.DataFrame]) -> None:
    surrogate = fit_surrogate(prepare(known[1]), np.random.default_rng(0))
    assert surrogate.unsettled() == []
    largest = max(surrogate.sources, key=lambda name: surrogate.variance(name).mean())
    drifting = surrogate.posterior.coefficients.copy()
    drifting[len(drifting) // 2 :, surrogate.posterior.places[largest]] *= 0.2
    moved = replace(surrogate, posterior=replace(surrogate.posterior, coefficients=drifting))
    assert largest in moved.unsettled()
