"""Losses that learn: vid and simple-contrastive."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torchdistill.losses import mid_level as torchdistill

from by_hand import assert_equal, scattered, softmax, valid_positions
from conformance.losses import SEEDS, AnyWidth, Learned, tensors
from distiller.objectives import HiddenLoss, hidden_loss


class TestVID(AnyWidth, Learned):
    options = {"type": "vid"}
    steps = 50  # its variances begin far from where they end


class InEvaluation(Learned):
    """The suite calls a loss with one batch again and again: in training the queue would be full of that batch."""

    def drawn(self, seed: int) -> HiddenLoss:
        return super().drawn(seed).eval()


class TestSimpleContrastive(AnyWidth, InEvaluation):
    options = {"type": "simple-contrastive"}


class TestSimpleContrastiveOfMeans(AnyWidth, InEvaluation):
    options = {"type": "simple-contrastive", "feature": "mean", "embedding": 3, "temperature": 0.5, "queue": 2}


def _drawn_vid(seed: int) -> HiddenLoss:
    """For widths 4 and 6, with variances that differ."""
    loss = hidden_loss("vid")
    loss.draw(4, 6, seed)
    loss.double()
    with torch.no_grad():
        loss.rho.copy_(tensors(seed, 6, count=1)[0])
    return loss


@given(SEEDS)
def test_vid_is_torchdistills_given_this_mean_and_variance(seed: int) -> None:
    """Its maps are [batch, channels, height, width]: here a text is one row of positions."""
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 5, 6, count=1)
    loss = _drawn_vid(seed)
    part = {"io": "output", "path": "."}
    module = torchdistill.VIDLoss({"pair": {"student": part, "teacher": part}})

    def theirs(student: Tensor, teacher: Tensor, mask: None = None) -> Tensor:
        mean = (student @ loss.mean.weight.T + loss.mean.bias).mT.unsqueeze(2)
        variance = (torch.log(1 + torch.exp(loss.rho)) + 1e-5).view(1, -1, 1, 1)
        return module({".": {"output": (mean, variance)}}, {".": {"output": teacher.mT.unsqueeze(2)}})

    assert_equal(loss, theirs, student, teacher)
    slopes = [torch.autograd.grad(side(student, teacher), [*loss.parameters()]) for side in (loss, theirs)]
    assert all(torch.allclose(*both, atol=1e-9) for both in zip(*slopes, strict=True))


@given(SEEDS)
def test_vid_is_the_negative_log_density_of_valid_positions_less_its_constant(seed: int) -> None:
    (student,), (teacher,) = tensors(seed, 3, 5, 4, count=1), tensors(seed + 1, 3, 5, 6, count=1)
    mask = scattered(seed, 3, 5)
    loss = _drawn_vid(seed)
    weight, bias, rho = (parameter.detach().numpy() for parameter in (loss.mean.weight, loss.mean.bias, loss.rho))
    surprises = []
    for text, positions in valid_positions(mask):
        for position in positions:
            mean = weight @ student[text, position].numpy() + bias
            for channel in range(6):
                variance = math.log1p(math.exp(rho[channel])) + 1e-5
                error = mean[channel] - teacher[text, position, channel].item()
                density = math.exp(-(error**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
                surprises.append(-math.log(density) - math.log(2 * math.pi) / 2)
    assert loss(student, teacher, mask).item() == pytest.approx(np.mean(surprises), abs=1e-9)


def test_the_variance_of_vid_begins_at_five() -> None:
    loss = hidden_loss("vid")
    loss.draw(4, 6, seed=0)
    assert torch.allclose(loss.variance(), torch.full((6,), 5.0))


def _drawn_contrastive(**options: Any) -> HiddenLoss:
    """For widths 5 and 7, in training."""
    loss = hidden_loss("simple-contrastive", **options)
    loss.draw(5, 7, seed=0)
    return loss.double()


def _texts(seed: int, batch: int) -> tuple[Tensor, Tensor]:
    return tensors(seed, batch, 1, 5, count=1)[0], tensors(seed + 1, batch, 1, 7, count=1)[0]


def _embedded(layer: torch.nn.Linear, text: Tensor) -> np.ndarray:
    embedding = layer.weight.detach().numpy() @ text.numpy() + layer.bias.detach().numpy()
    return embedding / np.linalg.norm(embedding)


@given(SEEDS, st.integers(1, 9))
def test_contrast_is_among_the_batch_and_the_teachers_newest_vectors_as_they_are_embedded_now(
    seed: int, queue: int
) -> None:
    loss = _drawn_contrastive(queue=queue, temperature=0.5)
    remembered: list[Tensor] = []
    for step, batch in enumerate((3, 1, 4, 2, 5)):
        student, teacher = _texts(seed + 2 * step, batch)
        x = [_embedded(loss.student, text) for text in student[:, 0]]
        y = [_embedded(loss.teacher, text) for text in [*teacher[:, 0], *remembered[-queue:]]]
        expected = [-math.log(softmax([float(x[at] @ other) / 0.5 for other in y])[at]) for at in range(batch)]
        assert loss(student, teacher).item() == pytest.approx(np.mean(expected), abs=1e-9)
        remembered += [*teacher[:, 0]]
        with torch.no_grad():
            loss.teacher.weight.add_(0.3 * torch.randn_like(loss.teacher.weight))


def test_one_text_with_nothing_in_the_queue_teaches_nothing_and_with_something_it_does() -> None:
    loss = _drawn_contrastive()
    for expected in (False, True):
        value = loss(*_texts(2 * expected, 1))
        slopes = torch.autograd.grad(value, [*loss.parameters()])
        assert (value.item() > 0) is expected
        assert [bool(slope.abs().sum() > 0) for slope in slopes] == [expected] * 4


def test_the_queue_is_filled_in_training_alone_and_never_with_padding() -> None:
    loss = _drawn_contrastive(queue=4, feature="mean")
    student, teacher = tensors(0, 3, 2, 5, count=1)[0], tensors(1, 3, 2, 7, count=1)[0]
    mask = torch.tensor([[1, 0], [1, 1], [0, 0]])
    teacher[mask == 0] = float("nan")
    loss.eval()(student, teacher, mask)
    assert int(loss.seen) == 0
    loss.train()(student, teacher, mask)
    assert int(loss.seen) == 2
    filled = [teacher[0, 0], teacher[1].mean(dim=0)]
    assert torch.allclose(loss.queue, torch.stack([*filled, torch.zeros(7), torch.zeros(7)]))


def test_a_gradient_flows_through_what_is_in_the_queue_to_the_embedding_alone() -> None:
    loss = _drawn_contrastive()
    (_, earlier), (student, teacher) = (_texts(seed, 3) for seed in (0, 2))
    earlier.requires_grad_()
    loss(torch.zeros(3, 1, 5).double(), earlier)
    loss(student, teacher).backward()
    assert earlier.grad is None
    assert not loss.queue.requires_grad
    x, y = (
        functional.normalize(layer(side[:, 0]), dim=-1)
        for layer, side in ((loss.student, student), (loss.teacher, torch.cat([teacher, earlier.detach()])))
    )
    scores = x @ y.T / 0.07
    by_hand = (scores.logsumexp(dim=-1) - scores.diagonal()).mean()
    slopes = torch.autograd.grad(by_hand, [*loss.parameters()])
    assert all(torch.allclose(weight.grad, slope) for weight, slope in zip(loss.parameters(), slopes, strict=True))


def test_the_queue_is_part_of_what_a_checkpoint_keeps() -> None:
    loss = _drawn_contrastive(queue=5)
    for step in range(3):
        loss(*_texts(2 * step, 3))
    again = _drawn_contrastive(queue=5)
    again.load_state_dict(loss.state_dict())
    for step in range(3, 6):
        assert torch.equal(again(*_texts(2 * step, 3)), loss(*_texts(2 * step, 3)))
