"""Spaces: what a search file may say, what is proposed out of it, and how a point becomes a pipeline."""

from itertools import product
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller import Pipeline, UserError
from distiller.search.point import placed
from distiller.search.space import Space, read_space

BASE = {
    "data": {"source": "asset:trec"},
    "teacher": {"model": "asset:minilm-l6"},
    "student": {"layers": [0, 2]},
    "objective": {"intermediate": {"type": "mi", "alpha": 0.5, "weight": 2.0}},
    "augmentation": {"steps": [{"type": "random", "p": 0.2}]},
}


def _base() -> dict[str, Any]:
    return Pipeline.model_validate(BASE).model_dump()


def _proposed(space: Space, seed: int) -> dict[str, Any]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return space.suggested(study.ask())


@pytest.mark.parametrize("name", ["paper", "full"])
def test_every_point_of_a_built_in_space_is_a_pipeline(name: str) -> None:
    space = read_space(name, "test")
    for seed in range(200):
        Pipeline.model_validate(placed(_base(), _proposed(space, seed)))


def test_the_papers_space_is_that_of_the_paper() -> None:
    """Counted by hand: of losses between layers none, four and six alphas, three mappings each; 1 + 15 · 3 policies."""
    points = read_space("paper", "test").points()
    assert len(points) == (1 + 3 * (4 + 6)) * 2 * 2 * (1 + 15 * 3)
    orders = {tuple(step["type"] for step in point["augmentation.steps"]) for point in points}
    assert len(orders) == 16
    assert all(len({*order}) == len(order) for order in orders)


def test_a_field_that_depends_on_another_is_there_where_it_should_be_and_nowhere_else() -> None:
    space = read_space(
        {
            "objective.intermediate.alpha": {"values": [0.1, 0.9], "when": {"objective.intermediate.type": "mi"}},
            "objective.intermediate.type": [None, "mi", "mse"],
            "mapping.type": {"values": ["skip", "last"], "when": {"objective.intermediate.type": {"not": None}}},
        },
        "test",
    )
    points = space.points()
    by_hand = [
        *({"objective.intermediate.type": None} for _ in range(1)),
        *(
            {"objective.intermediate.type": "mi", "objective.intermediate.alpha": alpha, "mapping.type": mapping}
            for alpha, mapping in product([0.1, 0.9], ["skip", "last"])
        ),
        *({"objective.intermediate.type": "mse", "mapping.type": mapping} for mapping in ("skip", "last")),
    ]
    key = repr
    assert sorted(points, key=lambda point: key(sorted(point.items()))) == sorted(
        by_hand, key=lambda point: key(sorted(point.items()))
    )
    for seed in range(50):
        assert _proposed(space, seed) in by_hand


@given(st.integers(0, 10_000))
def test_what_was_proposed_is_what_the_study_has(seed: int) -> None:
    space = read_space("paper", "test")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    point = space.suggested(trial)
    assert trial.params == space.drawn(point)
    assert all(value is None or isinstance(value, str | int | float | bool) for value in trial.params.values())


def test_placing_a_point() -> None:
    content = placed(
        _base(),
        {
            "training.learning_rate": 0.5,
            "student.layers": [1],
            "augmentation.steps": [{"type": "synonym"}, {"type": "spelling"}],
            "augmentation.steps.*.p": 0.4,
            "objective.intermediate.type": "pkd",
            "mapping.type": "last",
        },
    )
    pipeline = Pipeline.model_validate(content)
    assert pipeline.training.learning_rate == 0.5
    assert pipeline.student.layers == [1]
    assert [step.p for step in pipeline.augmentation.steps] == [0.4, 0.4]
    assert pipeline.objective.intermediate is not None
    assert (pipeline.objective.intermediate.type, pipeline.objective.intermediate.weight) == ("pkd", 2.0)
    assert pipeline.mapping.type == "last"
    same = Pipeline.model_validate(placed(_base(), {"objective.intermediate.type": "mi"}))
    assert same == Pipeline.model_validate(BASE)
    none = Pipeline.model_validate(placed(_base(), {"objective.intermediate.type": None}))
    assert none.objective.intermediate is None


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("papr", "unknown space 'papr'; did you mean 'paper'?; give paper, full, or fields"),
        ({}, "has no fields"),
        ({"training.epochs": []}, "space.training.epochs: has no choices; list some"),
        ({"training.epochs": [1, 2, 1]}, "has the choice 1 twice; remove one"),
        ({"training.epochs": {"low": 5, "high": 2}}, "the range goes from 5 down to 2; swap low and high"),
        ({"training.epochs": {"low": 0, "high": 2, "log": True}}, "a range on a logarithmic scale cannot begin at 0"),
        ({"training.epochs": {"low": "a", "high": 2}}, "low and high have to be numbers"),
        ({"training.epochs": {"low": 1}}, "is neither a list of choices nor a range"),
        ({"training.epochs": 3}, "is neither a list of choices nor a range"),
        ({"training.epochs": {"values": [1], "wen": {}}}, "unknown field 'wen'; known: values, when, low, high, log"),
        ({"a..b": [1]}, "is no dotted field of a pipeline"),
        (
            {"a": {"values": [1], "when": {"bb": 1}}, "b": [1]},
            "space.a: depends on 'bb', which is not in the space; did you mean 'b'?; add it, or remove the condition",
        ),
        (
            {"a": {"values": [1], "when": {"b": 1}}, "b": {"values": [1], "when": {"a": 1}}},
            "conditions go round in a circle (a, b); remove one",
        ),
        (
            {"a": {"values": [1], "when": {"b": 3}}, "b": [1, 2]},
            "space.a: has a condition on b being 3, which that never is; correct it",
        ),
        ({"a": {"values": [1], "when": 3}}, "its condition is no field with values"),
    ],
)
def test_a_bad_space_is_refused_by_field_with_the_mend(space: Any, message: str) -> None:
    with pytest.raises(UserError) as refusal:
        read_space(space, "search.yaml")
    assert message in str(refusal.value)


def test_a_grid_of_a_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"space\.training\.epochs: is a range, and a grid has choices"):
        read_space({"training.epochs": {"low": 1, "high": 3}}, "test").points()
