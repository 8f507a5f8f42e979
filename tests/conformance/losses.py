"""What every loss has to hold: on predictions ([batch, classes]) and between layers ([batch, length, width]).

A loss inherits `PredictionLossConformance` or `HiddenLossConformance`; one that is not least where student and teacher
agree, `HiddenLossBasics`; one that takes any width, `AnyWidth` before it; one with weights of its own, `Learned`.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor

from distiller import UserError
from distiller.objectives import hidden_loss, prediction_loss
from distiller.objectives.intermediate import Intermediate, LearnedHiddenLoss
from distiller.objectives.prediction import Prediction

SEEDS = st.integers(0, 2**31)


def tensors(seed: int, *shape: int, count: int = 2) -> list[Tensor]:
    """Normal numbers in float64, as a function of the seed."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(count)]


def mask_of(seed: int, batch: int, length: int) -> Tensor:
    """Valid positions first, at least one a text, padding after them."""
    generator = torch.Generator().manual_seed(seed + 1)
    valid = torch.randint(1, length + 1, (batch, 1), generator=generator)
    return (torch.arange(length) < valid).long()


def gradient(loss: Callable[..., Tensor], student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
    """Of the loss with respect to the student's side."""
    student = student.clone().requires_grad_()
    loss(student, teacher, mask).backward()
    assert student.grad is not None
    return student.grad


class LossConformance:
    """Inherit through one of those below."""

    options: ClassVar[dict[str, Any]]

    def loss(self) -> Callable[..., Tensor]:
        raise NotImplementedError

    def adapter(self) -> TypeAdapter[Any]:
        raise NotImplementedError

    def shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    def rows(self) -> tuple[int, ...]:
        """The shape of a mask."""
        return self.shape()[:-1]

    def spoilt(self, side: Tensor, mask: Tensor, rubbish: float) -> Tensor:
        """One side with rubbish wherever the mask says that nothing counts."""
        return torch.where(mask.bool().unsqueeze(-1), side, rubbish)

    def mismatched(self, student: Tensor) -> Tensor:
        """A student's side that does not fit its teacher's."""
        return student[..., :1]

    @given(SEEDS)
    def test_it_is_a_finite_scalar(self, seed: int) -> None:
        value = self.loss()(*tensors(seed, *self.shape()))
        assert value.shape == ()
        assert torch.isfinite(value)

    @settings(max_examples=6)  # each takes two losses for each number of the student's states
    @given(SEEDS)
    def test_the_gradient_is_that_of_finite_differences(self, seed: int) -> None:
        student, teacher = tensors(seed, *self.shape())
        loss = self.loss()
        assert torch.autograd.gradcheck(lambda side: loss(side, teacher), student.clone().requires_grad_())
        assert gradient(loss, student, teacher).abs().sum() > 0

    @given(SEEDS)
    def test_no_gradient_flows_to_the_teacher(self, seed: int) -> None:
        student, teacher = (side.requires_grad_() for side in tensors(seed, *self.shape()))
        self.loss()(student, teacher).backward()
        assert teacher.grad is None

    @given(SEEDS)
    def test_the_order_of_the_texts_does_not_matter(self, seed: int) -> None:
        student, teacher = tensors(seed, *self.shape())
        turned = self.loss()(student.flip(0), teacher.flip(0))
        assert torch.allclose(turned, self.loss()(student, teacher))

    @given(SEEDS)
    def test_what_does_not_count_changes_neither_value_nor_gradient(self, seed: int) -> None:
        student, teacher = tensors(seed, *self.shape())
        mask = mask_of(seed, *self.rows()) if len(self.rows()) == 2 else mask_of(seed, 1, *self.rows())[0]
        loss = self.loss()
        value, slope = loss(student, teacher, mask), gradient(loss, student, teacher, mask)
        for rubbish in (1e6, float("nan"), float("inf")):
            spoilt = [self.spoilt(side, mask, rubbish) for side in (student, teacher)]
            assert torch.equal(loss(*spoilt, mask), value)
            assert torch.equal(gradient(loss, *spoilt, mask), slope)
        assert self.spoilt(torch.zeros_like(slope), mask, 1.0).mul(slope).abs().sum() == 0

    def test_where_nothing_counts_the_loss_is_zero_and_so_is_its_gradient(self) -> None:
        student, teacher = tensors(0, *self.shape())
        nothing = torch.zeros(self.rows())
        assert self.loss()(student, teacher, nothing).item() == 0.0
        assert gradient(self.loss(), student, teacher, nothing).abs().sum() == 0

    def test_half_precision_is_computed_in_float32(self) -> None:
        student, teacher = (side.bfloat16() for side in tensors(0, *self.shape()))
        value = self.loss()(student, teacher)
        assert value.dtype is torch.float32
        assert torch.allclose(value, self.loss()(student.float(), teacher.float()))

    def test_a_batch_of_one_is_enough(self) -> None:
        student, teacher = tensors(0, 1, *self.shape()[1:])
        assert torch.isfinite(self.loss()(student, teacher))
        assert torch.isfinite(gradient(self.loss(), student, teacher)).all()

    def test_shapes_that_differ_are_not_broadcast(self) -> None:
        student, teacher = tensors(0, *self.shape())
        with pytest.raises(ValueError, match="differ in shape"):
            self.loss()(self.mismatched(student), teacher)

    def test_a_mask_of_another_batch_is_not_broadcast(self) -> None:
        student, teacher = tensors(0, *self.shape())
        mask = torch.ones(self.rows())[:1]
        with pytest.raises(ValueError, match="does not fit rows"):
            self.loss()(student, teacher, mask)

    def test_the_config_survives_a_round_trip_and_is_closed(self) -> None:
        config = self.adapter().validate_python(self.options)
        assert self.adapter().validate_python(config.model_dump()) == config
        assert config.weight == 1.0


class LeastWhereBothAgree(LossConformance):
    """`least` is the loss where student and teacher agree, None if it varies."""

    least: ClassVar[float | None] = 0.0

    @given(SEEDS)
    def test_it_is_least_where_both_agree(self, seed: int) -> None:
        student, teacher = tensors(seed, *self.shape())
        agreed = self.loss()(teacher, teacher)
        assert self.loss()(student, teacher) > agreed - 1e-9
        assert gradient(self.loss(), teacher, teacher).abs().max() < 1e-6
        if self.least is not None:
            assert float(agreed) == pytest.approx(self.least, abs=1e-9)


class PredictionLossConformance(LeastWhereBothAgree):
    """For losses on predictions."""

    def loss(self) -> Callable[..., Tensor]:
        return prediction_loss(**self.options)

    def adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(Prediction)

    def shape(self) -> tuple[int, ...]:
        return (4, 5)

    @given(SEEDS)
    def test_predictions_of_tokens_are_the_same_as_those_of_as_many_texts(self, seed: int) -> None:
        student, teacher = tensors(seed, 4, 6, 5)
        mask = mask_of(seed, 4, 6)
        rows = mask.bool()
        assert torch.allclose(self.loss()(student, teacher, mask), self.loss()(student[rows], teacher[rows]))

    def test_an_unknown_option_is_refused(self) -> None:
        with pytest.raises(UserError, match="prediction_loss: unknown field 'typo'"):
            prediction_loss(typo=1, **self.options)


class HiddenLossBasics(LossConformance):
    """For losses between layers."""

    def loss(self) -> Callable[..., Tensor]:
        return hidden_loss(**self.options).eval()

    def adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(Intermediate)

    def shape(self) -> tuple[int, ...]:
        return (4, 6, 5)

    def test_autocast_changes_nothing(self) -> None:
        student, teacher = (30 * side.float() for side in tensors(0, *self.shape()))
        loss = self.loss()
        expected = loss(student, teacher)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(loss(student, teacher), expected)

    def test_it_says_what_it_compares(self) -> None:
        assert self.adapter().validate_python(self.options).level in ("token", "sequence")

    def test_an_unknown_option_is_refused(self) -> None:
        with pytest.raises(UserError, match="hidden_loss: unknown field 'typo'"):
            hidden_loss(typo=1, **self.options)


class HiddenLossConformance(HiddenLossBasics, LeastWhereBothAgree):
    """For losses between layers that are least where both agree."""


class AnyWidth(HiddenLossBasics):
    """For losses between layers of any two widths."""

    def mismatched(self, student: Tensor) -> Tensor:
        return student[:2]

    @given(SEEDS)
    def test_widths_may_differ(self, seed: int) -> None:
        assert self.adapter().validate_python(self.options).takes_any_width
        (student,), (teacher,) = tensors(seed, *self.shape(), count=1), tensors(seed, *self.shape()[:-1], 7, count=1)
        slope = gradient(self.loss(), student, teacher)
        assert torch.isfinite(slope).all()
        assert slope.abs().sum() > 0


class Learned(HiddenLossBasics):
    """For losses with weights of their own; `steps` of 1e-3 are enough to make it smaller by 0.01."""

    steps: ClassVar[int] = 20

    def drawn(self, seed: int) -> LearnedHiddenLoss:
        loss = hidden_loss(**self.options)
        assert isinstance(loss, LearnedHiddenLoss)
        loss.draw(5, 7, seed)
        return loss

    def test_weights_that_are_not_drawn_yet_are_no_empty_list_for_an_optimizer(self) -> None:
        loss = hidden_loss(**self.options)
        with pytest.raises(RuntimeError, match="not drawn yet: call it once"):
            torch.optim.SGD(loss.parameters(), lr=0.1)
        loss(*tensors(0, *self.shape()))
        torch.optim.SGD(loss.parameters(), lr=0.1)

    def test_its_weights_follow_the_seed_and_leave_the_global_random_state_alone(self) -> None:
        state = torch.random.get_rng_state()
        first, again, other = ([*self.drawn(seed).parameters()] for seed in (1, 1, 2))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert all(torch.equal(*both) for both in zip(first, again, strict=True))
        assert not all(torch.equal(*both) for both in zip(first, other, strict=True))

    def test_its_weights_learn_from_every_batch_and_take_part_even_in_one_text_and_in_none(self) -> None:
        loss = self.drawn(0)
        (student,), (teacher,) = tensors(0, *self.shape(), count=1), tensors(0, *self.shape()[:-1], 7, count=1)
        student, teacher = student.float(), teacher.float()
        for count in (len(student), 1, 0):
            loss.zero_grad()
            loss(student[:count], teacher[:count]).backward()
            assert all(weight.grad is not None for weight in loss.parameters())
            assert all(torch.isfinite(weight.grad).all() for weight in loss.parameters())

    def test_training_its_weights_alone_makes_it_smaller(self) -> None:
        loss = self.drawn(0)
        (student,), (teacher,) = tensors(0, *self.shape(), count=1), tensors(0, *self.shape()[:-1], 7, count=1)
        optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
        before = loss(student.float(), teacher.float()).item()
        for _ in range(self.steps):
            optimizer.zero_grad()
            loss(student.float(), teacher.float()).backward()
            optimizer.step()
        assert loss(student.float(), teacher.float()).item() < before - 0.01

    def test_it_says_how_fast_it_learns(self) -> None:
        assert hidden_loss(learning_rate_factor=3.0, **self.options).learning_rate_factor == 3.0
