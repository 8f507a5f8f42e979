"""Successive halving: the rule is Optuna's, and an answer does not change when it is asked for again."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distiller.search.halving import goes_on, rungs


@pytest.mark.parametrize(
    ("first", "reduction", "epochs", "expected"),
    [(1, 3, 9, [1, 3]), (1, 3, 10, [1, 3, 9]), (2, 2, 16, [2, 4, 8]), (1, 3, 1, []), (5, 3, 4, []), (1, 4, 3, [1])],
)
def test_rungs(first: int, reduction: int, epochs: int, expected: list[int]) -> None:
    assert rungs(first, reduction, epochs) == expected


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(2, 4))
def test_who_goes_on_is_as_optuna_has_it(values: list[int], reduction: int) -> None:
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for place, value in enumerate(values):
        trial = study.ask()
        trial.report(float(value), 1)
        assert goes_on(value, values[:place], reduction) == (not trial.should_prune())
