import numpy as np
import pandas as pd
import pytest

from distiller.analysis import Analysis, analyze

KINDS = ("ce", "cos", "mi", "mse")
LIKES = {"one": (0, 1, 3, 2), "alike": (0, 1, 3, 2), "contrary": (3, 2, 0, 1)}


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Three datasets, two of which like the same losses between layers, and the third the others."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(600):
        data, kind, mapping = random.choice([*LIKES]), random.integers(4), random.integers(2)
        rows.append(
            {
                "id": str(len(rows)),
                "data.source": str(data),
                "pipeline.objective.intermediate.type": KINDS[kind],
                "pipeline.mapping.type": ("skip", "last")[mapping],
                "retention": 0.9 + 0.01 * LIKES[str(data)][kind] + 0.002 * mapping + random.normal(0, 0.004),
            }
        )
    return analyze(pd.DataFrame(rows))


def test_the_level_that_wins_on_each_dataset_is_found(analysis: Analysis) -> None:
    kinds = analysis.winners[analysis.winners["choice"] == "objective.intermediate.type"].set_index("dataset")
    assert kinds["level"].to_dict() == {"one": "mi", "alike": "mi", "contrary": "ce"}
    assert (kinds["chance"] > 0.95).all()
    # The best of 0, 1, 2 and 3 points lies 3 - (0 + 1 + 2) / 3 = 2 above the mean of the others.
    assert kinds["low"].max() < 0.02 < kinds["high"].min()


def test_datasets_that_like_the_same_correlate_and_others_do_not(analysis: Analysis) -> None:
    likeness = {frozenset((row["dataset"], row["other"])): row for _, row in analysis.likeness.iterrows()}
    assert likeness[frozenset(("one", "alike"))]["low"] > 0.8
    assert likeness[frozenset(("one", "contrary"))]["high"] < -0.5
    assert {row["shared"] for row in likeness.values()} == {8}


def test_the_best_runs_are_the_highest_and_are_expected_to_be_less_lucky(analysis: Analysis) -> None:
    for _, rows in analysis.best.groupby("dataset"):
        assert rows["rank"].tolist() == [1, 2, 3, 4, 5]
        assert rows["retention"].is_monotonic_decreasing
        assert rows["expected"].mean() < rows["retention"].mean()
    assert analysis.best[analysis.best["dataset"] == "contrary"]["pipeline"].str.contains("type=ce").all()


def test_cells_hold_the_means_of_the_pairs_that_act_together() -> None:
    random = np.random.default_rng(1)
    kind, mapping = random.integers(2, size=400), random.integers(2, size=400)
    frame = pd.DataFrame(
        {
            "pipeline.objective.intermediate.type": np.array(["mi", "mse"])[kind],
            "pipeline.mapping.type": np.array(["skip", "last"])[mapping],
            "retention": 0.9 + 0.03 * (kind == mapping) + random.normal(0, 0.005, size=400),
        }
    )
    cells = analyze(frame).cells
    means = frame.groupby(["pipeline.objective.intermediate.type", "pipeline.mapping.type"])["retention"].mean()
    assert len(cells) == 4
    for _, cell in cells.iterrows():
        levels = {cell["choice"]: cell["level"], cell["other_choice"]: cell["other_level"]}
        mean = means[levels["objective.intermediate.type"], levels["mapping.type"]]
        assert cell["expected"] == pytest.approx(mean, abs=0.002)
        assert cell["low"] <= mean <= cell["high"]
