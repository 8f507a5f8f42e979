import numpy as np
import pytest
import torch

from distiller import tasks
from distiller.tasks import Predictions


def test_scores_equal_the_formulas() -> None:
    generator = np.random.default_rng(0)
    guesses, targets = generator.normal(size=40).astype(np.float32), generator.normal(size=40)
    scores = tasks.build("regression").scores(Predictions(guesses[:, None], targets))

    def correlation(first: np.ndarray, second: np.ndarray) -> float:
        first, second = first - first.mean(), second - second.mean()
        return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))

    assert scores["pearson"] == pytest.approx(correlation(guesses, targets), abs=1e-6)
    ranks = [np.argsort(np.argsort(values)).astype(float) for values in (guesses, targets)]
    assert scores["spearman"] == pytest.approx(correlation(*ranks), abs=1e-6)


def test_constant_predictions_score_zero() -> None:
    predictions = Predictions(np.ones((3, 1), dtype=np.float32), np.array([1.0, 2.0, 3.0]))
    assert tasks.build("regression").scores(predictions) == {"pearson": 0.0, "spearman": 0.0}


def test_label_loss_is_the_mean_square_over_labelled_texts() -> None:
    task = tasks.build("regression")
    logits, targets = torch.tensor([[1.0], [2.0], [5.0]]), torch.tensor([0.0, task.missing_target, 2.0])
    assert float(task.label_loss(logits, targets)) == pytest.approx((1.0**2 + 3.0**2) / 2)
    nobody = torch.full((3,), task.missing_target)
    assert float(task.label_loss(logits, nobody)) == 0.0


def test_head_is_one_number() -> None:
    assert tasks.build("regression").head(None) == {"num_labels": 1, "problem_type": "regression"}
