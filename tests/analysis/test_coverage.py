"""Do intervals of importance hold the truth as often as they say? Tables of known variance, 200 of each kind."""

from collections.abc import Callable

import numpy as np
import pytest

from analysis_responses import Response, bound_response, response
from distiller.analysis.importance import functional_anova
from distiller.analysis.surrogate import fit_surrogate
from distiller.analysis.table import prepare

REPEATS = 200
SIZES = (60, 200, 600, 2000)
NOMINAL, MARGIN = 0.95, 0.05
NOISE = 0.01
ADDITIVE = {(0,): 0.6, (1,): 0.3, (2,): 0.1}
INTERACTING = {(0,): 0.4, (1,): 0.2, (0, 1): 0.3, (2, 3): 0.1}
Noise = Callable[[np.random.Generator, int], np.ndarray]


def normal(random: np.random.Generator, runs: int) -> np.ndarray:
    return NOISE * random.standard_normal(runs)


def heavy(random: np.random.Generator, runs: int) -> np.ndarray:
    return NOISE * random.standard_t(3, runs) / np.sqrt(3)


KINDS: dict[str, tuple[Callable[[np.random.Generator], Response], Noise]] = {
    "additive": (lambda random: response(ADDITIVE, 4, random), normal),
    "interacting": (lambda random: response(INTERACTING, 4, random), normal),
    "conditional": (bound_response, normal),
    "heavy-tailed": (lambda random: response(INTERACTING, 4, random), heavy),
}


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_importance_hold_the_truth_at_their_nominal_rate(kind: str) -> None:
    make, noise = KINDS[kind]
    held: dict[str, list[bool]] = {}
    for repeat in range(REPEATS):
        random = np.random.default_rng((repeat, *kind.encode()))
        truth = make(random)
        frame = truth.table(SIZES[repeat % len(SIZES)], lambda runs, random=random: noise(random, runs), random)
        table = prepare(frame)
        shares = functional_anova(fit_surrogate(table, random), reliability=1.0).set_index(["kind", "name"])
        for name, share in truth.shares().items():
            found = shares.loc["pair" if " × " in name else "choice"].loc[name]
            held.setdefault(name, []).append(bool(found["low"] <= share + 1e-12 and share <= found["high"] + 1e-12))
    rates = {name: float(np.mean(each)) for name, each in held.items()}
    assert all(len(each) == REPEATS for each in held.values())
    assert {name: rate for name, rate in rates.items() if rate < NOMINAL - MARGIN} == {}, rates
