from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from distiller import UserError, models
from distiller.mapping import EMD, Attention, Explicit, FixedWeights
from distiller.models import Features, Reading
from distiller.objectives import (
    Layers,
    Objective,
    ObjectiveConfig,
    check_compatible,
    hidden_loss,
    prediction_loss,
)
from distiller.schema import validated

BATCH, LENGTH, CLASSES = 3, 5, 4


def _config(**content: Any) -> ObjectiveConfig:
    return validated(ObjectiveConfig, content, "objective")


MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])


class _Encoder(nn.Module):
    """Gives what it was made with, as a model does."""

    def __init__(self, logits: Tensor, hidden_states: list[Tensor]) -> None:
        super().__init__()
        self.logits, self.hidden_states, self.attentions = logits, hidden_states, None

    def forward(self, **_: Any) -> "_Encoder":
        return self


def _drawn(seed: int, layers: int, width: int) -> _Encoder:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(BATCH, CLASSES, generator=generator)
    return _Encoder(logits, [torch.randn(BATCH, LENGTH, width, generator=generator) for _ in range(layers + 1)])


def _read(encoder: _Encoder, feature: Any = None, mask: Tensor = MASK) -> Features:
    layers = tuple(range(len(encoder.hidden_states)))
    inputs = {"input_ids": mask, "attention_mask": mask}
    return models.read(encoder, inputs, Reading("hidden_states", layers, feature))  # type: ignore[arg-type]


def _features(seed: int, layers: int, width: int, feature: Any = None) -> Features:
    return _read(_drawn(seed, layers, width), feature)


def _layers(student_width: int = 6, teacher_width: int = 6) -> Layers:
    mapping = Explicit(pairs=[(0, 0, 1.0), (1, 2, 3.0)])
    return Layers([(0, 0), (1, 2)], mapping.weights(mapping.pairs), student_width, teacher_width)


def _objective(config: ObjectiveConfig, student_width: int = 6, teacher_width: int = 6, seed: int = 0) -> Objective:
    return Objective(config, _layers(student_width, teacher_width), functional.cross_entropy, seed)


def _projections(objective: Objective) -> list[nn.Linear]:
    assert objective.between_layers is not None
    return [*objective.between_layers.projections]


TARGETS = torch.tensor([0, 3, 1])


def test_each_term_is_its_loss_times_its_weight_under_its_name() -> None:
    config = _config(
        prediction={"type": "kl", "temperature": 2.0, "weight": 0.5},
        hard_label={"weight": 0.25},
        intermediate={"type": "mse", "weight": 2.0},
    )
    student, teacher = _features(0, 1, 6), _features(1, 2, 6)
    terms, observed = _objective(config)(student, teacher, TARGETS)
    assert set(terms) == {"prediction.kl", "hard_label", "intermediate.mse"}
    kl = prediction_loss("kl", temperature=2.0)(student.logits, teacher.logits)
    assert torch.allclose(terms["prediction.kl"], 0.5 * kl)
    assert torch.allclose(terms["hard_label"], 0.25 * functional.cross_entropy(student.logits, TARGETS))
    mse = hidden_loss("mse")
    first = mse(student.layers[0], teacher.layers[0], MASK)
    second = mse(student.layers[1], teacher.layers[2], MASK)
    assert torch.allclose(terms["intermediate.mse"], 2.0 * (first + 3 * second) / 4)
    assert torch.allclose(observed["raw.intermediate.mse"], (first + 3 * second) / 4)
    assert torch.allclose(observed["raw.prediction.kl"], kl)


def test_terms_without_weight_are_not_computed() -> None:
    def never(logits: Tensor, targets: Tensor) -> Tensor:
        raise AssertionError

    config = _config(prediction={"type": "mse", "weight": 0.0}, intermediate={"type": "cos"})
    objective = Objective(config, _layers(), never, seed=0)
    assert set(objective(_features(0, 1, 6), _features(1, 2, 6), TARGETS)[0]) == {"intermediate.cos"}


def test_labels_alone_need_neither_teacher_nor_hidden_states() -> None:
    objective = _objective(_config(prediction=None, hard_label={"weight": 1.0}))
    assert not objective.needs_teacher
    assert objective.reads_of_student is None
    assert objective.reads_of_teacher is None
    assert set(objective(_features(0, 1, 6), None, TARGETS)[0]) == {"hard_label"}


def test_each_pair_has_a_projection_of_its_own_where_widths_differ() -> None:
    objective = _objective(_config(prediction=None, intermediate={"type": "mse"}), student_width=6, teacher_width=9)
    assert [tuple(layer.weight.shape) for layer in _projections(objective)] == [(9, 6), (9, 6)]
    student, teacher = _features(0, 1, 6), _features(1, 2, 9)
    objective(student, teacher, TARGETS)[0]["intermediate.mse"].backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in _projections(objective))
    assert not _projections(_objective(_config(intermediate={"type": "mse"})))
    assert _objective(_config(), student_width=6, teacher_width=9).between_layers is None


def test_projections_follow_the_seed_and_leave_the_global_random_state_alone() -> None:
    config = _config(intermediate={"type": "mse"})
    state = torch.random.get_rng_state()
    first, again, other = (_projections(_objective(config, 6, 9, seed))[0].weight for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_projections_are_drawn_as_torch_draws_them() -> None:
    ours = _projections(_objective(_config(intermediate={"type": "mse"}), 6, 9, seed=3))[0]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = nn.Linear(6, 9)
    assert torch.allclose(ours.weight, theirs.weight)
    assert torch.allclose(ours.bias, theirs.bias)


@pytest.mark.parametrize("name", ["mse", "cos", "pkd", "ce"])
@pytest.mark.parametrize("rubbish", [1e6, float("nan"), float("inf")])
def test_padding_reaches_no_projection(name: str, rubbish: float) -> None:
    feature = "cls" if name == "pkd" else None

    def learn(student: _Encoder) -> tuple[Tensor, list[Tensor]]:
        objective = _objective(_config(prediction=None, intermediate={"type": name}), student_width=6, teacher_width=9)
        teacher = _features(1, 2, 9, feature)
        value = objective(_read(student, feature), teacher, TARGETS)[0][f"intermediate.{name}"]
        return value, [*torch.autograd.grad(value, [*objective.parameters()])]

    clean = _drawn(0, 1, 6)
    valid = MASK.bool().unsqueeze(-1)
    spoilt = _Encoder(clean.logits, [torch.where(valid, layer, rubbish) for layer in clean.hidden_states])
    (value, slopes), (same, same_slopes) = learn(clean), learn(spoilt)
    assert torch.equal(same, value)
    assert all(torch.equal(*both) for both in zip(same_slopes, slopes, strict=True))
    assert all(slope.abs().sum() > 0 for slope in slopes)


def test_projections_take_half_precision() -> None:
    objective = _objective(_config(prediction=None, intermediate={"type": "mse"}), student_width=6, teacher_width=9)
    half, rounded = (
        [
            replace(side, layers={number: layer.bfloat16().to(dtype) for number, layer in side.layers.items()})
            for side in (_features(0, 1, 6), _features(1, 2, 9))
        ]
        for dtype in (torch.bfloat16, torch.float32)
    )
    value = objective(*half, TARGETS)[0]["intermediate.mse"]
    assert value.dtype is torch.float32
    assert torch.allclose(value, objective(*rounded, TARGETS)[0]["intermediate.mse"])


@pytest.mark.parametrize("content", [{}, {"prediction": None, "intermediate": {"type": "pkd"}}])
def test_a_teacher_that_is_needed_and_missing_is_no_loss_of_zero(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got nothing of the teacher"):
        _objective(_config(**content))(_features(0, 1, 6), None, TARGETS)


@pytest.mark.parametrize(
    "content", [{"prediction": None}, {"prediction": {"type": "kl", "weight": 0}}, {"prediction": {"weight": 1}}]
)
def test_an_objective_that_teaches_nothing_or_has_no_type_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"no term has a positive weight|needs a 'type'"):
        _config(**content)


@pytest.mark.parametrize("name", ["kl", "ce"])
def test_distributions_of_one_output_are_refused(name: str) -> None:
    config = _config(prediction={"type": name})
    with pytest.raises(UserError, match=rf"objective\.prediction: {name} compares distributions.*use mse"):
        check_compatible(config, outputs=1, exclusive_classes=True, same_tokenizer=True)
    check_compatible(config, outputs=2, exclusive_classes=True, same_tokenizer=True)
    check_compatible(_config(prediction={"type": "mse"}), outputs=1, exclusive_classes=True, same_tokenizer=True)


def test_numbers_have_no_probabilities() -> None:
    config = _config(prediction={"type": "bce"})
    with pytest.raises(UserError, match=r"objective\.prediction: bce compares probabilities.*use mse"):
        check_compatible(config, outputs=1, exclusive_classes=False, same_tokenizer=True, numbers=True)
    check_compatible(config, outputs=1, exclusive_classes=False, same_tokenizer=True)


@pytest.mark.parametrize("name", ["attention-mse", "attention-kl", "minilm"])
def test_attention_between_tokens_of_different_tokenizers_is_refused(name: str) -> None:
    config = _config(intermediate={"type": name})
    with pytest.raises(UserError, match=r"objective\.intermediate: .*different tokenizers.*which compare words"):
        check_compatible(config, outputs=2, exclusive_classes=True, same_tokenizer=False)
    check_compatible(config, outputs=2, exclusive_classes=True, same_tokenizer=True)
    for fitting in ("mse", "pkd"):
        config = _config(intermediate={"type": fitting})
        check_compatible(config, outputs=2, exclusive_classes=True, same_tokenizer=False)


def _two_pairs_of_which_one_weighs_nothing(content: dict[str, Any]) -> Objective:
    weights = FixedWeights([1.0, 0.0])
    layers = Layers([(1, 1), (1, 2)], weights, 6, 9)
    return Objective(_config(prediction=None, intermediate=content), layers, functional.cross_entropy, 0)


@pytest.mark.parametrize("content", [{"type": "mse"}, {"type": "mi"}, {"type": "infonce", "feature": "mean"}])
def test_the_student_learns_from_pairs_by_their_weight_and_what_is_learned_beside_it_from_all(
    content: dict[str, Any],
) -> None:
    def slopes(objective: Objective) -> tuple[Tensor, list[Tensor]]:
        feature = content.get("feature", None if content["type"] == "mse" else "cls")
        student = _features(0, 1, 6, feature)
        states = student.layers[1].requires_grad_()
        (term,) = objective(student, _features(1, 2, 9, feature), TARGETS)[0].values()
        first, *others = torch.autograd.grad(term, [states, *objective.parameters()])
        return first, [slope.abs().sum() for slope in others]

    both = _two_pairs_of_which_one_weighs_nothing(content)
    alone = Objective(
        _config(prediction=None, intermediate=content),
        Layers([(1, 1)], FixedWeights([1.0]), 6, 9),
        functional.cross_entropy,
        0,
    )
    (of_student, of_learned), (expected, _) = slopes(both), slopes(alone)
    assert torch.allclose(of_student, expected, atol=1e-7)
    assert sum(slope > 0 for slope in of_learned) > len(of_learned) / 2 + 1


def test_the_student_learns_from_pairs_by_their_weight_where_nothing_is_learned_beside_it() -> None:
    """The gradient of Σ w_i · mean of (s - t_i)² over valid positions and width, by hand."""
    layers = Layers([(1, 1), (1, 2)], FixedWeights([1.0, 3.0]), 6, 6)
    objective = Objective(_config(prediction=None, intermediate={"type": "mse"}), layers, functional.cross_entropy, 0)
    student, teacher = _features(0, 1, 6), _features(1, 2, 6)
    states = student.layers[1].requires_grad_()
    objective(student, teacher, TARGETS)[0]["intermediate.mse"].backward()
    own, first, second = (layer.detach().numpy() for layer in (states, teacher.layers[1], teacher.layers[2]))
    valid = MASK.numpy()[..., None]
    expected = 2 * (0.25 * (own - first) + 0.75 * (own - second)) * valid / (valid.sum() * 6)
    assert states.grad is not None
    assert np.allclose(states.grad.numpy(), expected, atol=1e-6)


def test_learned_weights_of_pairs_get_their_gradient() -> None:
    mapping = Attention()
    pairs = mapping.between(1, 2)
    layers = Layers([pair[:2] for pair in pairs], mapping.weights(pairs), 6, 6)
    config = _config(prediction=None, intermediate={"type": "mse"})
    objective = Objective(config, layers, functional.cross_entropy, 0)
    student, teacher = _features(0, 1, 6), _features(1, 2, 6)
    terms, _ = objective(student, teacher, TARGETS)
    terms["intermediate.mse"].backward()
    costs = [float(hidden_loss("mse")(student.layers[1], teacher.layers[i], MASK)) for i in (1, 2)]
    slope = (costs[0] - costs[1]) / 4  # of Σ softmax(s)_i c_i at s = 0, by hand
    found = objective.between_layers.weights.scores.grad
    assert torch.allclose(found, torch.tensor([[slope, -slope]]), atol=1e-6)


def test_masses_follow_the_costs_of_bounds_that_show_more_than_log_k() -> None:
    """Costs below 0: the layer that is cheapest gets the most mass all the same."""
    mapping = EMD()
    pairs = mapping.between(2, 3)
    config = _config(prediction=None, intermediate={"type": "mi"})
    layers = Layers([pair[:2] for pair in pairs], mapping.weights(pairs), 6, 6)
    between = Objective(config, layers, functional.cross_entropy, 0).between_layers
    assert between is not None
    costs = iter(torch.tensor([-2.0, -2.0, -2.0, -0.1, -0.1, -0.1]))
    between._pair = lambda *_: (next(costs), None)
    between(_features(0, 2, 6), _features(1, 3, 6))
    first, second = between.weights.state_dict()["student_mass"].tolist()
    assert first > second


def test_a_pair_without_weight_may_cost_whatever_it_does() -> None:
    objective = _two_pairs_of_which_one_weighs_nothing({"type": "mse"})
    between = objective.between_layers
    assert between is not None
    costs = iter(torch.tensor([2.0, 1e38 * 10]))
    between._pair = lambda *_: (next(costs), None)
    value, _ = between(_features(0, 1, 6), _features(1, 2, 9))
    assert value.item() == 2.0


def test_the_mean_of_a_text_is_over_its_own_tokens_on_each_side() -> None:
    """The teacher's mask is not the student's where it reads other tokens."""
    config = _config(prediction=None, intermediate={"type": "rkd", "feature": "mean"})
    objective = Objective(config, Layers([(1, 1)], FixedWeights([1.0]), 6, 9), functional.cross_entropy, 0)
    student, teacher = _drawn(0, 1, 6), _drawn(1, 1, 9)
    masks = MASK, torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
    read = (_read(side, "mean", mask) for side, mask in zip((student, teacher), masks, strict=True))
    value = objective(*read, TARGETS)[0]["intermediate.rkd"]
    means = [
        torch.stack([side.hidden_states[1][text, : int(mask[text].sum())].mean(0) for text in range(BATCH)])
        for side, mask in zip((student, teacher), masks, strict=True)
    ]
    means = [side.unsqueeze(1) for side in means]
    assert torch.allclose(value, hidden_loss("rkd")(*means))
