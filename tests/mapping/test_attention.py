import pytest
import torch

from conformance.mappings import MappingConformance
from distiller import UserError
from distiller.mapping import Attention, layer_pairs


class TestAttention(MappingConformance):
    options = {"type": "attention"}


def test_every_layer_is_paired_with_every_other_but_the_embeddings() -> None:
    pairs = layer_pairs("attention", 1, 3)
    assert [(student, teacher) for student, teacher, _ in pairs] == [(1, 1), (1, 2), (1, 3)]
    with pytest.raises(UserError, match="the student has 4 layers, its teacher 3"):
        layer_pairs("attention", 4, 3)


def test_each_student_layer_has_a_softmax_that_begins_even() -> None:
    weights = Attention().weights(layer_pairs("attention", 2, 4))
    assert torch.allclose(weights(torch.ones(8)), torch.full((8,), 1 / 8))
    with torch.no_grad():
        weights.scores.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0]]))
    second = torch.tensor([1.0, 2.718281828, 7.389056099, 20.085536923])
    assert torch.allclose(weights(torch.ones(8))[4:], second / second.sum() / 2)


def test_it_learns_to_turn_to_what_is_cheap() -> None:
    weights = Attention().weights(layer_pairs("attention", 2, 3))
    costs = torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    optimizer = torch.optim.Adam(weights.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        (weights(costs.flatten()) * costs.flatten()).sum().backward()
        optimizer.step()
    assert weights(costs.flatten()).view(2, 3).argmax(dim=1).tolist() == [1, 0]
