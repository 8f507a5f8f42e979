"""Choices as columns of numbers, such that the variance a choice makes is the sum of its squared coefficients.

What "variance" is over has to be said: here every choice is made by lot, each level as likely as any other (a number:
anywhere in its range), independently of other choices, and only where it is there to be made. Under this reference all
columns have mean 0, variance 1, and those of different batches do not correlate (functional ANOVA, Hooker 2007; with
fields that are there only under conditions, the variance of such a field is weighed by how often it is there).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert

from distiller.analysis.choices import Choice, numbered

Array = NDArray[np.float64]
REFERENCE = 8192
COLUMNS_AT_MOST = 480
DEGREE = 3
SMALL = 1e-3


@dataclass(frozen=True)
class Columns:
    """The design of a table: for choices and for pairs of choices, by name, shape [runs, degrees of freedom].

    `too_wide` counts the pairs that would have more columns than a design may have in all; `possible` is how many
    different pipelines the reference has.
    """

    choices: dict[str, Array]
    pairs: dict[tuple[str, str], Array]
    too_wide: int
    possible: int


def columns_of(choices: Sequence[Choice], random: np.random.Generator) -> Columns:
    """The columns of all choices and all pairs of them."""
    reference = _reference(choices, random)
    raw, drawn = _single(choices, reference)
    names = list(combinations(raw, 2))
    narrow = [(one, other) for one, other in names if raw[one].shape[1] * raw[other].shape[1] <= COLUMNS_AT_MOST]
    pairs = {(one, other): _pair(one, other, raw, drawn) for one, other in narrow}
    there = {pair: columns for pair, columns in pairs.items() if columns.shape[1]}
    return Columns(raw, there, len(names) - len(narrow), _different(reference))


def single_columns(choices: Sequence[Choice], random: np.random.Generator) -> Columns:
    """The columns of all choices alone."""
    reference = _reference(choices, random)
    return Columns(_single(choices, reference)[0], {}, 0, _different(reference))


def beyond(columns: Array, pipelines: NDArray[np.int64], possible: int) -> Array:
    """What runs of one pipeline have in common beyond some columns, as columns of variance 1, shape [runs, at most p].

    Over all pipelines that are possible it is orthogonal to those columns: where all of them were run it is what is
    left of interactions, and of few among many a value of each one's own.

    Args:
        columns: Shape [runs, degrees of freedom], orthonormal over the reference.
        pipelines: Shape [runs]: which one, counted from 0 to p - 1.
        possible: How many the reference has.
    """
    first = np.unique(pipelines, return_index=True)[1]
    covariance = np.eye(len(first)) - (1 + columns[first] @ columns[first].T) / possible
    values, vectors = np.linalg.eigh(covariance)
    real = values > SMALL
    return np.asarray((vectors[:, real] * np.sqrt(values[real]))[pipelines])


def _single(choices: Sequence[Choice], reference: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Columns of each choice, of the runs and of the reference."""
    raw = {choice.name: _basis(choice, choice.codes) for choice in choices}
    drawn = {choice.name: _basis(choice, reference[choice.name]) for choice in choices}
    for choice in choices:
        share = max(float(np.mean(~np.isnan(reference[choice.name]))), 1 / REFERENCE)
        raw[choice.name], drawn[choice.name] = raw[choice.name] / np.sqrt(share), drawn[choice.name] / np.sqrt(share)
    return raw, drawn


def _different(reference: dict[str, Array]) -> int:
    return int(numbered(list(reference.values())).max()) + 1


def basis_of(choice: Choice) -> Array:
    """The columns of one choice alone, shape [runs, degrees of freedom], of variance 1 where it is there to be made."""
    return _basis(choice, choice.codes)


def _basis(choice: Choice, codes: Array) -> Array:
    there = ~np.isnan(codes)
    if choice.levels:
        table = helmert(len(choice.levels)).T * np.sqrt(len(choice.levels))
        columns = table[np.where(there, codes, 0).astype(int)]
    else:
        degree = min(DEGREE, len(np.unique(choice.codes[choice.made])) - 1)
        place = 2 * np.where(there, codes, 0.5) - 1
        columns = np.polynomial.legendre.legvander(place, degree)[:, 1:] * np.sqrt(2 * np.arange(1, degree + 1) + 1)
    return np.where(there[:, None], columns, 0.0)


def _pair(first: str, second: str, raw: dict[str, Array], drawn: dict[str, Array]) -> Array:
    """What two choices do together beyond what each does, as columns that do not correlate under the reference."""
    products, reference = _products(raw[first], raw[second]), _products(drawn[first], drawn[second])
    alone, alone_reference = (
        np.concatenate([np.ones((len(side[first]), 1)), side[first], side[second]], axis=1) for side in (raw, drawn)
    )
    slopes = np.linalg.lstsq(alone_reference, reference, rcond=None)[0]
    left, left_reference = products - alone @ slopes, reference - alone_reference @ slopes
    values, vectors = np.linalg.eigh(left_reference.T @ left_reference / len(left_reference))
    real = values > SMALL
    columns = left @ (vectors[:, real] / np.sqrt(values[real]))
    there = (raw[first] != 0).any(axis=1, keepdims=True) & (raw[second] != 0).any(axis=1, keepdims=True)
    return np.where(there, columns, 0.0)


def _products(first: Array, second: Array) -> Array:
    return (first[:, :, None] * second[:, None, :]).reshape(len(first), -1)


def _reference(choices: Sequence[Choice], random: np.random.Generator) -> dict[str, Array]:
    """Codes of pipelines drawn by lot; NaN where a choice is not there to be made."""
    free = [choice for choice in choices if choice.made.all()]
    bound = [choice for choice in choices if not choice.made.all()]
    drawn = {choice.name: _lots(choice, random) for choice in free}
    for choice in sorted(bound, key=lambda choice: -int(choice.made.sum())):
        drawn[choice.name] = np.where(_there(choice, choices, drawn, random), _lots(choice, random), np.nan)
    return {choice.name: drawn[choice.name] for choice in choices}


def _lots(choice: Choice, random: np.random.Generator) -> Array:
    if choice.levels:
        return random.integers(len(choice.levels), size=REFERENCE).astype(float)
    return random.random(REFERENCE)


def _there(
    choice: Choice, choices: Sequence[Choice], drawn: dict[str, Array], random: np.random.Generator
) -> NDArray[np.bool_]:
    """Where a choice is there to be made among pipelines drawn by lot, by what runs show it to depend on."""
    known = [other for other in choices if other.name in drawn and other.levels]
    for parents in [[other] for other in known] + [[other for other in known if other.group == choice.group]]:
        there = _decided(choice, parents, drawn) if parents else None
        if there is not None:
            return there
    return np.asarray(random.random(REFERENCE) < choice.made.mean())


def _decided(choice: Choice, parents: Sequence[Choice], drawn: dict[str, Array]) -> NDArray[np.bool_] | None:
    """Whether a choice is there, by the parents alone, as in the runs; None if that is not what decides it.

    Where no run had a combination of the parents, it is there.
    """
    both = numbered([np.concatenate([parent.codes, drawn[parent.name]]) for parent in parents])
    of_runs, of_reference = np.split(both, [len(choice.codes)])
    runs, made = (np.bincount(of_runs, weights, int(both.max()) + 1) for weights in (None, choice.made))
    if np.any((made > 0) & (made < runs)):
        return None
    return np.asarray(((made > 0) | (runs == 0))[of_reference])
