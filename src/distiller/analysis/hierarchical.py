"""The surrogate: a hierarchical linear model of retention, and draws from its posterior.

    y = sum over batches b of X_b beta_b + noise,   beta_b ~ N(0, sigma_b^2 I),   sigma_b ~ half-Cauchy(scale_b)

with noise of its own variance in each stratum: on a small dataset a score varies more between seeds.

A batch is all that one source of variance can do: a choice, two choices together, a choice on each dataset (Gelman
2005, "Analysis of variance: why it is more important than ever"). What data say nothing about is drawn towards zero, so
that there may be more columns than runs. Draws are by Gibbs sampling with redundant multipliers (Gelman et al. 2008,
"Using redundant parameterizations to fit hierarchical models"): beta_b = multiplier_b * eta_b, which moves well near
zero. Of runs that were cut short only a limit is known; what they would have come to is drawn with the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs
from scipy.special import log_ndtr, ndtri_exp

Array = NDArray[np.float64]
FLAT = 30.0
"""A batch that is not drawn towards zero has this standard deviation, in those of the outcome."""
LEAST_NOISE = 1e-6
"""Of the variance of the outcome noise is never taken for less: where all runs score the same it would be none."""
IMPUTATIONS = 20
NUMBERS_A_SWEEP = 2_000_000
"""If runs that were cut short have more numbers in the design, they are not drawn anew in each sweep."""


@dataclass(frozen=True)
class Batch:
    """One source of variance.

    Attributes:
        name: What it is.
        columns: Of the design, shape [runs, degrees of freedom].
        pool: Batches of one pool learn how large their scales are from each other, since most of them may be nothing.
        flat: Whether its coefficients are left as they come, in place of being drawn towards zero.
        scale: Of the half-Cauchy that its standard deviation is from, in the units of the outcome; None: that of the
            outcome itself.
    """

    name: str
    columns: Array
    pool: str = ""
    flat: bool = False
    scale: float | None = None


@dataclass(frozen=True)
class Posterior:
    """Draws: `coefficients` is [draws, columns], `noise` the variance left over, [draws]; `places` finds a batch.

    The noise is the mean over runs of that of their strata. `outcomes`, shape [imputations, runs], has outcomes drawn
    for runs that were cut short, and those of the others.
    """

    coefficients: Array
    noise: Array
    places: dict[str, slice]
    outcomes: Array

    def of(self, name: str) -> Array:
        """The coefficients of a batch, shape [draws, degrees of freedom]."""
        return self.coefficients[:, self.places[name]]


def fit(
    outcome: Array,
    batches: Sequence[Batch],
    random: np.random.Generator,
    *,
    limit: Array | None = None,
    strata: NDArray[np.int64] | None = None,
    draws: int = 1000,
    warm_up: int = 300,
) -> Posterior:
    """Draw from the posterior of the coefficients.

    Args:
        outcome: Shape [runs], or [imputations, runs] of which sweeps take one after the other.
        batches: Each with as many rows as there are runs; an intercept is added.
        random: What the draws are made with.
        limit: Shape [runs]: where it is not NaN, all that is known of the outcome is that it is not above this.
        strata: Shape [runs]: which of them have noise of the same variance, counted from 0; None: all.
        draws: How many are kept.
        warm_up: How many are thrown away before.
    """
    sampler = _Sampler(outcome, batches, random, limit, strata)
    for _ in range(warm_up):
        sampler.sweep()
    kept, noise, outcomes = np.empty((draws, sampler.width)), np.empty(draws), []
    for draw in range(draws):
        sampler.sweep()
        if (draw + 1) % max(draws // IMPUTATIONS, 1) == 0:
            outcomes.append(sampler.completed())
        kept[draw], noise[draw] = sampler.coefficients, sampler.noise @ sampler.runs / sampler.runs.sum()
    kept *= sampler.spread
    kept[:, 0] += sampler.centre
    return Posterior(kept, noise * sampler.spread**2, sampler.places, np.array(outcomes))


class _Sampler:
    """The state between sweeps; outcomes have mean 0 and standard deviation 1 in here."""

    def __init__(
        self,
        outcome: Array,
        batches: Sequence[Batch],
        random: np.random.Generator,
        limit: Array | None,
        strata: NDArray[np.int64] | None,
    ) -> None:
        self.random = random
        outcomes = np.atleast_2d(outcome)
        cut = np.zeros(outcomes.shape[1], bool) if limit is None else ~np.isnan(limit)
        known = outcomes[0, ~cut]
        self.centre, self.spread = float(known.mean()), float(known.std()) or 1.0
        every = [Batch("intercept", np.ones((outcomes.shape[1], 1)), flat=True), *batches]
        self.batches = every
        widths = [batch.columns.shape[1] for batch in every]
        ends = np.cumsum(widths)
        self.places = {
            batch.name: slice(end - width, end) for batch, width, end in zip(every, widths, ends, strict=True)
        }
        self.width = int(ends[-1])
        self.of_batch = np.repeat(np.arange(len(every)), widths)
        self.degrees = np.array(widths)
        self.starts = ends - self.degrees
        self.flat = np.array([batch.flat for batch in every])
        self.free = np.flatnonzero(~self.flat)
        self.among_free = np.ix_(self.free, self.free)
        self.free_with_flat = np.ix_(self.free, np.flatnonzero(self.flat))
        pools = sorted({batch.pool for batch in every if batch.pool})
        self.pools = [np.flatnonzero([batch.pool == pool for batch in every]) for pool in pools]
        self.own_scale = np.array([1.0 if batch.scale is None else batch.scale / self.spread for batch in every])
        strata = np.zeros(outcomes.shape[1], int) if strata is None else strata
        count = int(strata.max()) + 1
        self.outcomes = np.where(cut, 0.0, (outcomes - self.centre) / self.spread)
        self.runs = np.bincount(strata, minlength=count)
        rows = [np.flatnonzero(strata == stratum) for stratum in range(count)]
        self.grams = np.empty((count, self.width, self.width))
        self.moments = np.empty((len(outcomes), count, self.width))
        self.squares = np.stack([(self.outcomes[:, some] ** 2).sum(axis=1) for some in rows], axis=1)
        self.designs_cut = []
        for stratum, some in enumerate(rows):
            design = np.concatenate([batch.columns[some] for batch in every], axis=1)
            self.grams[stratum] = design.T @ design
            self.moments[:, stratum] = self.outcomes[:, some] @ design
            self.designs_cut.append(design[cut[some]])
        self.cut = np.concatenate([some[cut[some]] for some in rows])
        self.cut_by_stratum = np.array([len(design) for design in self.designs_cut])
        self.limit = (limit[self.cut] - self.centre) / self.spread if limit is not None else np.empty(0)
        self.drawn = self.limit.copy()
        self.period = 1 + len(self.cut) * self.width // NUMBERS_A_SWEEP
        self.sweeps = 0
        self.multiplier = np.where(self.flat, 1.0, 0.3)
        self.variance = np.where(self.flat, FLAT**2, 1.0)
        self.scales, self.scale_of_scales = np.full(len(pools), 0.1), np.ones(len(pools))
        self.noise, self.scale_of_noise = np.full(count, 0.5), np.ones(count)
        self.coefficients = np.zeros(self.width)

    def sweep(self) -> None:
        place = self.sweeps % len(self.outcomes)
        moments, squares = self.moments[place], self.squares[place]
        if len(self.cut):
            moments, squares = self._with_censored(moments, squares)
        self.sweeps += 1
        count = len(self.noise)
        moment = (1 / self.noise) @ moments
        gram = ((1 / self.noise) @ self.grams.reshape(count, -1)).reshape(self.width, self.width)
        eta = self._draw_eta(gram, moment)
        self._draw_multipliers(eta, gram, moment)
        self._draw_variances(eta)
        fitted = (self.grams.reshape(-1, self.width) @ self.coefficients).reshape(count, -1) @ self.coefficients
        left = np.maximum(squares - 2 * moments @ self.coefficients + fitted, 0.0)
        drawn = (left + 2 / self.scale_of_noise) / self.random.chisquare(self.runs + 1)
        self.noise = np.maximum(drawn, LEAST_NOISE)
        self.scale_of_noise = (2 + 2 / self.noise) / self.random.chisquare(2, size=count)

    def completed(self) -> Array:
        """The outcomes, with those of runs that were cut short as they were last drawn; in their own units."""
        outcomes = self.outcomes[0].copy()
        outcomes[self.cut] = self.drawn
        return np.asarray(self.centre + self.spread * outcomes)

    def _with_censored(self, moments: Array, squares: Array) -> tuple[Array, Array]:
        """X'y and y'y of each stratum, with outcomes drawn for the runs of which only a limit is known."""
        if self.sweeps % self.period == 0:
            deviation = np.repeat(np.sqrt(self.noise), self.cut_by_stratum)
            expected = np.concatenate([design @ self.coefficients for design in self.designs_cut])
            self.drawn = expected + deviation * _below((self.limit - expected) / deviation, self.random)
            parts = np.split(self.drawn, np.cumsum(self.cut_by_stratum)[:-1])
            self.of_cut = np.stack([part @ design for part, design in zip(parts, self.designs_cut, strict=True)])
            self.square_of_cut = np.array([part @ part for part in parts])
        return moments + self.of_cut, squares + self.square_of_cut

    def _draw_eta(self, gram: Array, moment: Array) -> Array:
        multiplier = self.multiplier[self.of_batch]
        precision = gram * (multiplier[:, None] * multiplier)
        precision.flat[:: self.width + 1] += 1 / self.variance[self.of_batch]
        return _gaussian(precision, multiplier * moment, self.random)

    def _draw_multipliers(self, eta: Array, gram: Array, moment: Array) -> None:
        free, starts = self.free, self.starts
        between = np.add.reduceat(np.add.reduceat(gram * (eta[:, None] * eta), starts, axis=0), starts, axis=1)
        towards = np.add.reduceat(eta * moment, starts)
        fixed = between[self.free_with_flat].sum(axis=1)
        precision = between[self.among_free]
        scale = self.own_scale.copy()
        for pool, common in zip(self.pools, self.scales, strict=True):
            scale[pool] = common
        prior = scale[free] ** 2
        precision.flat[:: len(free) + 1] += 1 / prior
        if len(free):
            self.multiplier[free] = _gaussian(precision, towards[free] - fixed, self.random)
        self.coefficients = eta * self.multiplier[self.of_batch]

    def _draw_variances(self, eta: Array) -> None:
        squares = np.add.reduceat(eta**2, self.starts)
        drawn = (1 + squares) / self.random.chisquare(1 + self.degrees)
        self.variance = np.where(self.flat, FLAT**2, drawn)
        for place, pool in enumerate(self.pools):
            total = float((self.multiplier[pool] ** 2).sum())
            variance = (total + 2 / self.scale_of_scales[place]) / self.random.chisquare(len(pool) + 1)
            self.scale_of_scales[place] = (2 + 2 / variance) / self.random.chisquare(2)
            self.scales[place] = np.sqrt(variance)


def _gaussian(precision: Array, towards: Array, random: np.random.Generator) -> Array:
    """A draw of N(P^-1 t, P^-1)."""
    factor, failed = dpotrf(precision, lower=1)
    if failed:
        raise np.linalg.LinAlgError("the precision of the coefficients is not positive definite")
    mean, _ = dpotrs(factor, towards, lower=1)
    noise, _ = dtrtrs(factor, random.standard_normal(len(towards)), lower=1, trans=1)
    return np.asarray(mean + noise)


def _below(limit: Array, random: np.random.Generator) -> Array:
    """Standard normal draws that are not above the limits."""
    return np.asarray(ndtri_exp(np.log1p(-random.random(len(limit))) + log_ndtr(limit)))
