import numpy as np
import pytest
import torch

from distiller.objectives.balance import DECAY, Balance


def test_each_term_is_divided_by_the_running_mean_of_its_size() -> None:
    """Recomputed by hand, with the correction of the first steps."""
    balance = Balance(["small", "large"])
    values = np.random.default_rng(0).normal(size=(20, 2)) * [1e-4, 1e3]
    means = np.zeros(2)
    for step, (small, large) in enumerate(values, start=1):
        given = balance({"small": torch.tensor(small), "large": torch.tensor(large)})
        means = DECAY * means + (1 - DECAY) * np.abs([small, large])
        sizes = means / (1 - DECAY**step)
        assert float(given["small"]) == pytest.approx(small / sizes[0], rel=1e-5)
        assert float(given["large"]) == pytest.approx(large / sizes[1], rel=1e-5)


def test_the_first_value_becomes_one_and_gradients_are_divided_alike() -> None:
    value = torch.tensor(4.0, requires_grad=True)
    (given,) = Balance(["term"])({"term": value}).values()
    given.backward()
    assert float(given.detach()) == pytest.approx(1.0)
    assert value.grad is not None
    assert float(value.grad) == pytest.approx(0.25)


def test_a_term_that_is_absent_from_a_batch_keeps_its_size() -> None:
    balance = Balance(["labels"])
    balance({"labels": torch.tensor(2.0)})
    assert float(balance({"labels": torch.tensor(0.0)})["labels"]) == 0.0
    balance.eval()
    assert float(balance({"labels": torch.tensor(2.0)})["labels"]) == pytest.approx(1.0)


def test_a_term_that_has_always_been_absent_is_nothing_and_no_error() -> None:
    assert float(Balance(["labels"])({"labels": torch.tensor(0.0)})["labels"]) == 0.0


def test_sizes_are_in_the_state_and_rest_in_evaluation() -> None:
    balance, other = Balance(["term"]), Balance(["term"])
    balance({"term": torch.tensor(4.0)})
    other.load_state_dict(balance.state_dict())
    other.eval()
    assert float(other({"term": torch.tensor(8.0)})["term"]) == pytest.approx(2.0)
    assert float(other({"term": torch.tensor(8.0)})["term"]) == pytest.approx(2.0)


def test_one_outlier_silences_no_term() -> None:
    balance = Balance(["term"])
    for _ in range(20):
        balance({"term": torch.tensor(3.0)})
    assert float(balance({"term": torch.tensor(1e13)})["term"]) > 1e11
    assert float(balance({"term": torch.tensor(3.0)})["term"]) > 0.5


def test_a_term_that_comes_near_nothing_is_not_blown_up() -> None:
    balance = Balance(["term"])
    for step in range(3000):
        given = balance({"term": torch.tensor(3.0 * 0.99**step)})
    assert float(given["term"]) < 1e-9
    assert float(balance({"term": torch.tensor(0.03)})["term"]) == pytest.approx(1.0, rel=0.2)
