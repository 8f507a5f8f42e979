import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as formulas
from statsmodels.stats.multitest import multipletests

from analysis_responses import unit
from distiller.analysis.contrasts import contrasts
from distiller.analysis.surrogate import fit_surrogate
from distiller.analysis.table import prepare

KINDS = ("mi", "mse", "cos")


def runs(count: int, random: np.random.Generator, datasets: int = 8, disagreement: float = 0.004) -> pd.DataFrame:
    """Runs in which a choice's effect differs by dataset, unevenly tried, and confounded with another choice."""
    data = random.integers(datasets, size=count)
    kind = random.choice(3, size=count, p=[0.6, 0.25, 0.15])
    layers = np.where(random.random(count) < 0.2 + 0.3 * (kind == 0), 4, 2)
    likes = random.normal(0, disagreement, size=(datasets, 3))
    retention = (
        0.9 + 0.02 * (kind == 0) + 0.03 * (layers == 4) + likes[data, kind] + random.normal(0, 0.05, datasets)[data]
    )
    return pd.DataFrame(
        {
            "id": [str(number) for number in range(count)],
            "data.source": [f"data-{number}" for number in data],
            "data.n_train": 1000 * 4**data,
            "pipeline.objective.intermediate.type": np.array(KINDS)[kind],
            "pipeline.student.layers": layers,
            "retention": retention + random.normal(0, 0.01, size=count),
        }
    )


def compare(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    random, table = np.random.default_rng(seed), prepare(frame)
    surrogate = fit_surrogate(table, random)
    return contrasts(surrogate.completed(table), surrogate.disagreement, random)


def signed(found: pd.DataFrame, level: str, other: str, scope: str = "overall") -> pd.Series:
    """A contrast, turned so that it is `level` minus `other`."""
    rows = found[(found["scope"] == scope) & found["level"].isin([level, other]) & found["other"].isin([level, other])]
    [(_, row)] = rows.iterrows()
    if row["level"] == level:
        return row[["difference", "low", "high"]].astype(float)
    return pd.Series({"difference": -row["difference"], "low": -row["high"], "high": -row["low"]})


def test_differences_are_those_of_a_mixed_model_of_statsmodels() -> None:
    frame = runs(600, np.random.default_rng(0))
    found = compare(frame)
    plain = frame.rename(columns=lambda name: name.rsplit(".", 1)[-1])
    model = formulas.mixedlm(
        "retention ~ C(type, Treatment('mse')) + C(layers)", plain, groups="source", re_formula="~C(type)"
    ).fit(method=["powell"])
    for kind in ("mi", "cos"):
        name = f"C(type, Treatment('mse'))[T.{kind}]"
        ours, error = signed(found, kind, "mse"), model.bse[name]
        assert ours["difference"] == pytest.approx(model.params[name], abs=0.4 * error)
        assert (ours["high"] - ours["low"]) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.45)


def test_p_is_corrected_as_statsmodels_does_within_each_scope() -> None:
    found = compare(runs(300, np.random.default_rng(1)))
    for _, scope in found.groupby("scope"):
        np.testing.assert_allclose(scope["adjusted_p"], multipletests(scope["p"], method="holm")[1])


def test_intervals_hold_the_true_difference_over_datasets_that_disagree() -> None:
    """What is true is the mean over all datasets there could be, of which these eight are drawn."""
    held = [
        bool(found["low"] <= 0.02 <= found["high"])
        for seed in range(40)
        for frame in [runs(160, np.random.default_rng(seed)).drop(columns="data.n_train")]
        for found in [signed(compare(frame, seed), "mi", "mse")]
    ]
    assert np.mean(held) >= 0.87  # 95 % within two standard errors of forty, and more


@pytest.mark.parametrize(("pipelines", "datasets", "seeds"), [(30, 1, 8), (24, 5, 1)])
def test_runs_of_one_pipeline_are_not_taken_for_independent(pipelines: int, datasets: int, seeds: int) -> None:
    """Only what four choices do together matters: over all pipelines no level is better, and few of them were run."""
    held = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        together = unit((3, 3, 3, 3), random) * 0.02
        places = random.permutation(together.size)[:pipelines]
        runs = [(place, data) for place in places for data in range(datasets) for _ in range(seeds)]
        codes = np.array(np.unravel_index([place for place, _ in runs], together.shape))
        frame = pd.DataFrame({f"pipeline.training.{letter}": list("xyz") for letter in "abcd"})
        frame = pd.DataFrame({name: frame[name].to_numpy()[code] for name, code in zip(frame, codes, strict=True)})
        frame["data.source"] = [f"data-{data}" for _, data in runs]
        frame["retention"] = 0.9 + together[tuple(codes)] + random.normal(0, 0.005, size=len(runs))
        found = compare(frame, seed)
        overall = found[found["scope"] == "overall"]
        held.append(((overall["low"] <= 0) & (overall["high"] >= 0)).mean())
    assert np.mean(held) >= 0.9


def test_nothing_is_supported_where_nothing_differs() -> None:
    """Once in twenty tables is what a corrected level of 5 % allows; of sixteen more than three is one in a hundred."""
    wrong = 0
    for seed in range(16):
        frame = runs(200, np.random.default_rng(seed))
        frame["retention"] = np.random.default_rng(seed + 100).normal(0.9, 0.02, size=len(frame))
        found = compare(frame)
        wrong += bool(found[found["scope"] == "overall"]["supported"].any())
    assert wrong <= 3


def test_pruned_runs_count_as_censored_and_not_as_low_scores_nor_as_never_run() -> None:
    """Of the worse level more runs are pruned; those that finish are its luckiest, and make it look better."""
    random = np.random.default_rng(4)
    count = 1500
    kind = random.integers(2, size=count)
    full = 0.9 + 0.02 * kind + random.normal(0, 0.02, size=count)
    pruned = (full < np.median(full)) & (random.random(count) < 0.8)
    frame = pd.DataFrame(
        {
            "pipeline.objective.intermediate.type": np.array(["mse", "mi"])[kind],
            "pipeline.mapping.type": np.array(["skip", "last"])[random.integers(2, size=count)],
            "retention": full,
            "status": np.where(pruned, "pruned", "finished"),
        }
    )
    survivors = full[~pruned & (kind == 1)].mean() - full[~pruned & (kind == 0)].mean()
    found = signed(compare(frame), "mi", "mse")
    assert survivors < 0.017
    assert abs(found["difference"] - 0.02) < abs(survivors - 0.02)
    assert found["difference"] > survivors


def test_an_effect_below_a_size_is_found_in_that_part_alone() -> None:
    random = np.random.default_rng(5)
    frame = runs(900, random, disagreement=0.0)
    mixup = random.random(len(frame)) < 0.5
    frame["pipeline.augmentation.mixup.beta"] = np.where(mixup, 0.4, np.nan)
    frame["retention"] += np.where(mixup & (frame["data.n_train"] < 20_000), 0.015, 0.0)
    found = compare(frame)
    of_mixup = found[(found["choice"] == "augmentation.mixup") & (found["scope"] == "data size")]
    [small, large] = [of_mixup[of_mixup["part"].str.startswith(side)].iloc[0] for side in ("below", "from")]
    assert small["supported"] or large["supported"]
    assert small["low"] > 0
    assert small["level"] == "yes"


def test_with_and_without_augmentation_are_compared_as_a_whole() -> None:
    random = np.random.default_rng(6)
    frame = runs(500, random)
    kinds = ("contextual", "random")
    drawn = [[{"type": kind, "p": 0.1} for kind in kinds if random.random() < 0.4] for _ in range(len(frame))]
    frame["pipeline.augmentation.steps"] = drawn
    frame["retention"] += [0.02 if steps else 0.0 for steps in drawn]
    found = compare(frame)
    [row] = [
        row
        for _, row in found[(found["choice"] == "any step of augmentation") & (found["scope"] == "overall")].iterrows()
    ]
    assert row["level"] == "with"
    assert row["low"] < 0.02 < row["high"]
    assert row["runs"] + row["other_runs"] == len(frame)


def test_what_was_tried_on_one_dataset_alone_is_said_of_that_alone() -> None:
    random = np.random.default_rng(6)
    data, copies, mapping = random.integers(2, size=200), random.integers(2, size=200), random.integers(2, size=200)
    copies[data == 1] = 0
    frame = pd.DataFrame(
        {
            "data.source": [f"data-{number}" for number in data],
            "pipeline.augmentation.copies": copies,
            "pipeline.mapping.type": np.array(["skip", "last"])[mapping],
            "retention": 0.9 + 0.02 * copies + 0.005 * random.standard_normal(200),
        }
    )
    found = compare(frame).query("choice == 'augmentation.copies'").set_index("scope")
    assert not found.loc["overall", "supported"]
    assert found.loc["overall", "low"] < 0
    assert found.loc["dataset", "supported"]
    assert found.loc["dataset", "part"] == "data-0"
