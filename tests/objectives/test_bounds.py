"""Losses that are bounds on mutual information, with each critic and each view of a text."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

from conformance.losses import SEEDS, AnyWidth, Learned, mask_of, tensors
from distiller import UserError
from distiller.objectives import hidden_loss, mutual_information, views
from distiller.objectives.critics import LogBaseline


class TestMI(AnyWidth, Learned):
    options = {"type": "mi"}


class TestMIOfMeans(AnyWidth, Learned):
    options = {"type": "mi", "feature": "mean", "alpha": 0.5}


class TestMIOfTokens(AnyWidth, Learned):
    options = {"type": "mi", "feature": "tokens"}

    def loss(self) -> Callable[..., Tensor]:
        """The positions are drawn from the global random state: here from the same one in every call."""
        loss = super().loss()

        def seeded(*inputs: Tensor | None) -> Tensor:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                return loss(*inputs)

        return seeded

    def test_the_order_of_the_texts_does_not_matter(self) -> None:
        """Where each text has one position, so that there is nothing to draw."""
        student, teacher = tensors(0, 4, 1, 5)
        assert torch.allclose(self.loss()(student.flip(0), teacher.flip(0)), self.loss()(student, teacher))


class TestInfoNCE(AnyWidth, Learned):
    options = {"type": "infonce"}


class TestNWJ(AnyWidth, Learned):
    options = {"type": "nwj"}


class TestTUBA(AnyWidth, Learned):
    options = {"type": "tuba"}


class TestBilinear(AnyWidth, Learned):
    options = {"type": "infonce", "critic": {"type": "bilinear"}}


class TestScaledCosine(AnyWidth, Learned):
    options = {"type": "mi", "critic": {"type": "scaled-cosine"}}


BOUNDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "infonce": lambda scores, _: mutual_information.infonce(scores),
    "nwj": lambda scores, _: mutual_information.nwj(scores),
    "tuba": mutual_information.tuba,
    "mi": lambda scores, baseline: mutual_information.interpolated(scores, baseline, 0.9),
}


@pytest.mark.parametrize("name", BOUNDS)
@given(seed=SEEDS)
def test_the_loss_is_log_k_less_the_bound_on_the_critics_scores(name: str, seed: int) -> None:
    student, teacher = tensors(seed, 4, 6, 5)
    loss = hidden_loss(name)
    value = loss(student, teacher)
    scores = loss.critic(student[:, 0], teacher[:, 0])
    baseline = loss.log_baseline(teacher[:, 0]) if name in ("tuba", "mi") else torch.zeros(4).double()
    assert torch.allclose(value, math.log(4) - BOUNDS[name](scores, baseline))


@pytest.mark.parametrize("name", BOUNDS)
@given(seed=SEEDS)
def test_among_further_teacher_features_it_is_the_students_feature_that_is_told_its_own(name: str, seed: int) -> None:
    (student,), (teacher,) = (tensors(seed + width, 4, 6, width, count=1) for width in (5, 7))
    (others,) = tensors(seed, 9, 7, count=1)
    student, teacher, others = student.float(), teacher.float(), others.float()
    loss = hidden_loss(name, negatives="store", extra_negatives=9)
    loss.draw(5, 7, seed=0)
    baseline = torch.zeros(4)
    if name in ("tuba", "mi"):
        torch.nn.init.ones_(loss.log_baseline.layers[-1].weight)  # it starts at nothing for every feature
        baseline = loss.log_baseline(student[:, 0])
    bound, count = loss.estimate(student, teacher, None, others)
    scores = loss.critic(student[:, 0], torch.cat([teacher[:, 0], others])).T
    assert count == 4 + 9
    assert torch.allclose(bound, BOUNDS[name](scores, baseline), atol=1e-5)


@given(SEEDS)
def test_the_vector_of_a_text_is_its_first_position_or_the_mean_over_its_tokens(seed: int) -> None:
    student, teacher = tensors(seed, 4, 6, 5)
    mask = mask_of(seed, 4, 6)
    first, _ = views.texts(student, teacher, mask, "cls")
    assert torch.equal(first, student[:, 0])
    mean, of_teacher = views.texts(student, teacher, mask, "mean")
    for row in range(4):
        length = int(mask[row].sum())
        assert torch.allclose(mean[row], torch.stack([student[row, at] for at in range(length)]).mean(0))
        assert torch.allclose(of_teacher[row], torch.stack([teacher[row, at] for at in range(length)]).mean(0))


@given(SEEDS)
def test_positions_are_valid_those_of_both_sides_and_one_of_each_text_a_group(seed: int) -> None:
    """Each state is (text, position), so that one sees where it came from."""
    mask = mask_of(seed, 5, 6)
    states = torch.stack(torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij"), dim=-1)
    x, y, new = views.positions(states, -states, mask, per_text=8)
    assert torch.equal(x, -y)
    assert torch.equal(new.sum(dim=0), mask.sum(dim=1))
    assert len({tuple(state) for state in x[new].tolist()}) == int(mask.sum())
    assert x.shape == (8, 5, 2)
    for text in range(5):
        drawn = x[:, text]
        assert drawn[:, 0].tolist() == [text] * 8
        valid = set(range(int(mask[text].sum())))
        assert {int(position) for position in drawn[:, 1]} == valid  # no more groups than positions: each is drawn


def test_positions_of_one_text_are_told_from_each_other_only_if_asked() -> None:
    student, teacher = tensors(0, 4, 6, 5)
    apart = hidden_loss("infonce", feature="tokens", positions=3)
    together = hidden_loss("infonce", feature="tokens", positions=3, same_text_negatives=True)
    assert apart.estimate(student, teacher, None)[1] == 4
    assert together.estimate(student, teacher, None)[1] == 12
    mask = torch.tensor([[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    assert together.estimate(student, teacher, mask)[1] == 1 + 2 + 3 + 3


@pytest.mark.parametrize("critic", ["separable", "bilinear", "scaled-cosine"])
def test_rows_of_scores_are_student_features_and_columns_teacher_features(critic: str) -> None:
    loss = hidden_loss("infonce", critic={"type": critic})
    loss.draw(5, 7, seed=0)
    (x,), (y,) = tensors(0, 4, 5, count=1), tensors(1, 4, 7, count=1)
    scores = loss.critic(x.float(), y.float())
    for i in range(4):
        for j in range(4):
            alone = loss.critic(x[i : i + 1].float(), y[j : j + 1].float())
            assert scores[i, j].item() == pytest.approx(alone.item(), abs=1e-5)


def test_a_scale_that_grew_too_large_can_come_back() -> None:
    loss = hidden_loss("infonce", critic={"type": "scaled-cosine"})
    loss.draw(5, 5, seed=0)
    with torch.no_grad():
        loss.critic.log_scale.fill_(5.0)
    student, teacher = (side.float() for side in tensors(0, 8, 1, 5))
    scores = loss.critic(student[:, 0], teacher[:, 0])
    assert scores.abs().max() <= 80.0
    loss(student, teacher).backward()
    assert loss.critic.log_scale.grad.abs() > 0


@pytest.mark.parametrize("name", BOUNDS)
def test_one_text_has_no_bound_and_a_loss_of_nothing(name: str) -> None:
    student, teacher = tensors(0, 1, 6, 5)
    loss = hidden_loss(name)
    assert loss(student, teacher).item() == 0.0
    assert loss.estimate(student, teacher, None)[1] == 1


def test_the_baseline_begins_at_nothing_and_is_a_function_of_the_teachers_feature() -> None:
    baseline = LogBaseline(5)
    (y,) = tensors(0, 4, 5, count=1)
    assert torch.equal(baseline(y.float()), torch.zeros(4))
    with torch.no_grad():
        baseline.layers[-1].weight.fill_(1.0)
    assert baseline(y.float()).unique().numel() == 4


@pytest.mark.parametrize(
    "options", [{"alpha": 1.5}, {"alpha": -0.1}, {"critic": {"type": "seperable"}}, {"feature": "x"}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="hidden_loss"):
        hidden_loss("mi", **options)
