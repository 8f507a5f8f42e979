import numpy as np
import pandas as pd
import pytest

from distiller.recommend.calibration import Calibration, calibrate
from distiller.recommend.known import Known

RUNS = 40


def drawn(datasets: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names, scores, and retention that grows with the score; datasets differ in level and in scale."""
    data = np.repeat(np.arange(datasets), RUNS)
    score, level = random.random(len(data)), random.normal(0.9, 0.05, datasets)
    scale = np.exp(random.normal(-4, 0.3, datasets))
    retention = level[data] + scale[data] * (2 * score + random.normal(size=len(data)))
    return np.array([f"data-{number:03}" for number in data]), score, retention


def calibrated(names: np.ndarray, score: np.ndarray, retention: np.ndarray) -> Calibration:
    frame, pipelines = pd.DataFrame(index=range(len(names))), np.arange(len(names))
    return calibrate(Known(frame, retention, names, pipelines, []), score)


def holds(found: pd.DataFrame, retention: np.ndarray) -> float:
    return float(((found["low"] <= retention) & (retention <= found["high"])).mean())


@pytest.mark.parametrize("datasets", [3, 8, 30])
def test_eighty_in_a_hundred_runs_on_a_dataset_never_seen_lie_in_their_intervals(datasets: int) -> None:
    """Over 300 tables; of one the share is nearly all or nearly nothing, by its level."""
    shares = []
    for seed in range(300):
        names, score, retention = drawn(datasets + 1, np.random.default_rng(seed))
        known = slice(0, datasets * RUNS)
        new = slice(datasets * RUNS, None)
        calibration = calibrated(names[known], score[known], retention[known])
        found = calibration.retention(score[new], names[new], pd.RangeIndex(RUNS))
        shares.append(holds(found, retention[new]))
    assert 0.7 <= np.mean(shares) <= 0.9


def test_on_a_known_dataset_intervals_are_of_its_own_level() -> None:
    names, score, retention = drawn(20, np.random.default_rng(0))
    found = calibrated(names, score, retention).retention(score, names, pd.RangeIndex(len(names)))
    assert 0.75 <= holds(found, retention) <= 0.87
    abroad = calibrated(names, score, retention).retention(score, np.array(["new"] * len(names)), found.index)
    width, width_abroad = ((each["high"] - each["low"]).mean() for each in (found, abroad))
    assert width < 0.7 * width_abroad


def test_a_higher_score_is_never_expected_to_come_to_less() -> None:
    names, score, retention = drawn(6, np.random.default_rng(1))
    asked = np.linspace(-0.5, 1.5, 200)
    found = calibrated(names, score, retention).retention(asked, np.array(["new"] * 200), pd.RangeIndex(200))
    assert (np.diff(found["expected"]) > 0).all()


def test_scores_that_say_nothing_give_the_middle() -> None:
    names, _, retention = drawn(5, np.random.default_rng(2))
    found = calibrated(names, np.zeros(len(names)), retention).retention(
        np.zeros(1), np.array(["new"]), pd.RangeIndex(1)
    )
    middles = pd.Series(retention).groupby(names).median()
    assert found["expected"].iloc[0] == pytest.approx(middles.mean(), abs=0.02)
