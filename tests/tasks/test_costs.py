"""What an example costs a model, at its label or as the model itself expects it; recomputed with numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax
from scipy.stats import entropy

from distiller import tasks

GENERATOR = np.random.default_rng(0)


def _logits(*shape: int) -> np.ndarray:
    return 3 * GENERATOR.normal(size=shape).astype(np.float32)


def test_of_classes_it_is_cross_entropy_and_without_a_label_entropy() -> None:
    logits = _logits(4, 3)
    found = tasks.build("classification").costs(torch.from_numpy(logits), torch.tensor([2, -100, 0, -100]))
    assert found.shape == (4, 1)
    wanted = [-log_softmax(logits[0])[2], entropy(softmax(logits[1])), -log_softmax(logits[2])[0]]
    assert found[:3, 0].tolist() == pytest.approx(wanted, rel=1e-5)
    unlabelled = tasks.build("classification").costs(torch.from_numpy(logits), None)
    assert unlabelled[:, 0].tolist() == pytest.approx(entropy(softmax(logits, axis=1), axis=1), rel=1e-5)


def test_each_word_has_its_own() -> None:
    logits = _logits(2, 3, 5)
    logits[1, 2] = np.nan  # not read
    found = tasks.build("token-classification").costs(torch.from_numpy(logits), torch.tensor([[4, 0, 1], [2, -100, 3]]))
    assert found.shape == (2, 3, 1)
    assert found[0, :, 0].tolist() == pytest.approx(-log_softmax(logits[0], axis=1)[[0, 1, 2], [4, 0, 1]], rel=1e-5)
    assert found[1, 1, 0].item() == pytest.approx(entropy(softmax(logits[1, 1])), rel=1e-5)


def test_of_answers_it_is_the_mean_of_beginning_and_end_over_the_places_that_are_read() -> None:
    logits = _logits(3, 6, 2)
    logits[0, 4:] = np.nan
    logits[2, 1] = np.nan  # where the label is, as another tokenizer has it
    found = tasks.build("question-answering").costs(
        torch.from_numpy(logits), torch.tensor([[1, 3], [-100, -100], [1, 1]])
    )
    assert found.shape == (3, 1, 1)
    begins, ends = log_softmax(logits[0, :4], axis=0).T
    assert found[0].item() == pytest.approx(-(begins[1] + ends[3]) / 2, rel=1e-5)
    assert found[1].item() == pytest.approx(entropy(softmax(logits[1], axis=0), axis=0).mean(), rel=1e-5)
    read = softmax(logits[2, [0, 2, 3, 4, 5]], axis=0)
    assert found[2].item() == pytest.approx(entropy(read, axis=0).mean(), rel=1e-5)


def test_of_classes_that_come_together_it_is_the_mean_over_yes_and_no() -> None:
    logits = _logits(2, 4)
    targets = np.array([[1, 0, 0, 1], [np.nan] * 4], dtype=np.float32)
    found = tasks.build("multi-label-classification").costs(torch.from_numpy(logits), torch.from_numpy(targets))
    assert found.shape == (2, 1)
    yes = expit(logits)
    right = np.where(targets[0] == 1, yes[0], 1 - yes[0])
    assert found[:, 0].tolist() == pytest.approx(
        [-np.log(right).mean(), entropy(np.stack([yes[1], 1 - yes[1]])).mean()], rel=1e-4
    )
    assert torch.equal(tasks.build("multi-label-classification").costs(torch.from_numpy(logits), None)[1], found[1])


def test_of_numbers_it_is_the_squared_error_and_nothing_without_a_label() -> None:
    logits = torch.tensor([[1.5], [2.0]])
    assert tasks.build("regression").costs(logits, torch.tensor([1.0, float("nan")])).tolist() == [[0.25], [0.0]]
    assert tasks.build("regression").costs(logits, None).tolist() == [[0.0], [0.0]]
