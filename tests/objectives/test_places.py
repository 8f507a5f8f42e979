"""Losses on the beginnings and ends of answers: row by row, over the places that both models read."""

from typing import Any

import pytest
import torch

from distiller.objectives import prediction_loss
from distiller.objectives.places import between_places

OF_ROWS = ["kl", "ce", "mse", "jsd", "reverse-kl", "dkd", "logit-standardised", "dist", "bce"]


def _logits(seed: int) -> torch.Tensor:
    return torch.randn(4, 7, 2, generator=torch.Generator().manual_seed(seed))


BEGINS = torch.tensor([[1, 1, 0, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0]])
ENDS = torch.tensor([[1, 0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 0, 0], [1, 0, 1, 1, 1, 0, 0]])
READ = torch.stack([BEGINS, ENDS], dim=-1).bool()


@pytest.mark.parametrize("name", OF_ROWS)
def test_it_is_the_mean_over_rows_of_the_loss_on_what_is_there(name: str) -> None:
    """`dist` compares rows with each other too, which the others do not: there it is held to its part within rows."""
    options: dict[str, Any] = {"gamma": 0.0} if name == "dist" else {}
    loss = prediction_loss(name, **options)
    student, teacher = _logits(0).requires_grad_(), _logits(1)
    padded = [side.masked_fill(~READ, torch.nan) for side in (student, teacher)]
    value = between_places(loss, padded[0], padded[1], READ)
    by_rows = [
        loss(student[text, READ[text, :, side], side][None], teacher[text, READ[text, :, side], side][None])
        for text in range(4)
        for side in range(2)
    ]
    torch.testing.assert_close(value, torch.stack(by_rows).mean())
    (gradient,) = torch.autograd.grad(value, student)
    assert gradient.isfinite().all()
    assert (gradient[~READ] == 0).all()
    assert (gradient[READ] != 0).any()


def test_relations_between_rows_are_those_of_rows_with_as_many_places() -> None:
    loss = prediction_loss("dist", beta=0.0)
    student, teacher = _logits(0), _logits(1)
    value = between_places(loss, student, teacher, READ)
    rows: dict[int, list[tuple[int, int]]] = {}
    for text in range(4):
        for side in range(2):
            rows.setdefault(int(READ[text, :, side].sum()), []).append((text, side))
    losses = [
        len(alike)
        * loss(
            *(
                torch.stack([model[text, READ[text, :, side], side] for text, side in alike])
                for model in (student, teacher)
            )
        )
        for alike in rows.values()
    ]
    torch.testing.assert_close(value, torch.stack(losses).sum() / 8)


def test_a_row_with_one_place_says_nothing() -> None:
    read = torch.tensor([[True, False], [True, True]]).unsqueeze(-1).expand(2, 2, 2)
    student, teacher = _logits(0)[:2, :2].requires_grad_(), _logits(1)[:2, :2]
    loss = prediction_loss("kl")
    torch.testing.assert_close(between_places(loss, student, teacher, read), loss(student[1].T, teacher[1].T))
    nothing = between_places(loss, student, teacher, torch.tensor([[True, False]] * 2).unsqueeze(-1).expand(2, 2, 2))
    assert nothing == 0
    (gradient,) = torch.autograd.grad(nothing, student)
    assert (gradient == 0).all()
