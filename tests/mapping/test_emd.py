import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.special import softmax

from conformance.mappings import MappingConformance
from distiller import UserError
from distiller.mapping import EMD, layer_pairs, transport_plan

SEEDS = st.integers(0, 2**31)


class TestEMD(MappingConformance):
    options = {"type": "emd"}


@given(SEEDS, st.integers(1, 6), st.integers(1, 12))
def test_the_plan_costs_what_linear_programming_finds_and_has_the_marginals(seed: int, rows: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    cost = generator.normal(size=(rows, columns))
    student, teacher = generator.dirichlet(np.ones(rows)), generator.dirichlet(np.ones(columns))
    plan = transport_plan(cost, student, teacher)
    sums = [*(np.kron(np.eye(rows)[i], np.ones(columns)) for i in range(rows))]
    sums += [np.kron(np.ones(rows), np.eye(columns)[j]) for j in range(columns)]
    best = linprog(cost.ravel(), A_eq=np.array(sums), b_eq=np.concatenate([student, teacher]))
    assert (plan * cost).sum() == pytest.approx(best.fun, abs=1e-8)
    assert plan.min() >= 0
    np.testing.assert_allclose(plan.sum(axis=1), student, atol=1e-9)
    np.testing.assert_allclose(plan.sum(axis=0), teacher, atol=1e-9)


@pytest.mark.parametrize(
    ("cost", "student", "teacher"),
    [
        ([[1.0, 2.0]], [1.0], [1.0]),
        ([[1.0, 2.0]], [1.0], [0.5, 0.6]),
        ([[1.0, 2.0]], [1.0], [1.5, -0.5]),
        ([[float("nan"), 2.0]], [1.0], [0.5, 0.5]),
    ],
)
def test_masses_that_cannot_be_moved_are_refused(
    cost: list[list[float]], student: list[float], teacher: list[float]
) -> None:
    with pytest.raises(ValueError, match="mass"):
        transport_plan(cost, student, teacher)


def test_every_layer_is_paired_with_every_other_but_the_embeddings() -> None:
    pairs = layer_pairs("emd", 2, 3)
    assert [(student, teacher) for student, teacher, _ in pairs] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    with pytest.raises(UserError, match="the student has 4 layers, its teacher 3"):
        layer_pairs("emd", 4, 3)


@given(SEEDS)
def test_weights_are_the_plan_of_the_batch_and_masses_follow_by_cost_attention(seed: int) -> None:
    """BERT-EMD: c_i = Σ_j f_ij d_ij / w_i, then w = softmax(Σ c / c_i), by hand, over three batches."""
    pairs = layer_pairs("emd", 2, 3)
    weights = EMD(temperature=2.0).weights(pairs)
    student, teacher = np.full(2, 1 / 2), np.full(3, 1 / 3)
    for batch in range(3):
        cost = np.random.default_rng(seed + batch).uniform(0.1, 2.0, size=(2, 3))
        given_weights = weights(torch.from_numpy(cost).flatten()).view(2, 3).numpy()
        np.testing.assert_allclose(given_weights.sum(axis=1), student, atol=1e-6)
        np.testing.assert_allclose(given_weights.sum(axis=0), teacher, atol=1e-6)
        best = (transport_plan(cost, student, teacher) * cost).sum()
        assert (given_weights * cost).sum() == pytest.approx(best, abs=1e-6)
        moved = given_weights * cost
        of_student, of_teacher = moved.sum(axis=1) / student, moved.sum(axis=0) / teacher
        student = 0.99 * softmax(of_student.sum() / of_student / 2.0) + 0.01 / 2
        teacher = 0.99 * softmax(of_teacher.sum() / of_teacher / 2.0) + 0.01 / 3


def test_masses_rest_in_evaluation_and_without_cost_attention_and_are_in_the_state() -> None:
    pairs = layer_pairs("emd", 2, 3)
    costs = torch.tensor([1.0, 2.0, 3.0, 3.0, 2.0, 0.5])
    resting, fixed, moving = EMD().weights(pairs).eval(), EMD(cost_attention=False).weights(pairs), EMD().weights(pairs)
    for weights in (resting, fixed, moving):
        weights(costs)
    for weights in (resting, fixed):
        assert torch.equal(weights.state_dict()["student_mass"], torch.full((2,), 0.5))
    assert not torch.equal(moving.state_dict()["student_mass"], torch.full((2,), 0.5))


def test_costs_without_sense_give_weights_all_the_same_and_no_gradient_flows_through_a_plan() -> None:
    weights = EMD().weights(layer_pairs("emd", 2, 2))
    assert torch.equal(weights(torch.tensor([1.0, float("nan"), 1.0, 1.0])), torch.full((4,), 0.25))
    costs = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    assert not weights(costs).requires_grad
    assert torch.isfinite(weights(torch.tensor([0.0, 1.0, 1.0, 0.0]))).all()
    assert float(weights(torch.tensor([-1.0, 1.0, 1.0, -1.0])).sum()) == pytest.approx(1.0)
