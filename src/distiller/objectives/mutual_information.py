"""Lower bounds on the mutual information of two random vectors, from the scores of a critic (Poole et al. 2019).

Poole, Ozair, van den Oord, Alemi, Tucker: "On Variational Bounds of Mutual Information", ICML 2019.

Everywhere `scores` is [K + N, K] with scores[i, j] = f(x_i, y_j): x is the student's feature, y the teacher's, and the
true pairs are on the diagonal. Rows from K on are N further samples of x that belong to none of the y: more negatives
than the batch has; without them `scores` is [K, K]. `log_baseline` is [K], a function of y_j. Every bound is a scalar
in nats, to be maximised.

Mutual information is symmetric. A caller whose further samples are teacher features exchanges the roles: rows are then
teacher features, columns student features, and the baseline is a function of the student's feature.
"""

import math

import torch
from torch import Tensor

LARGEST_EXPONENT = {torch.float32: 82.0, torch.float64: 700.0}
"""Above it `exp` is continued by its tangent: the bounds are hopeless there, but finite, and so is their gradient."""


def infonce(scores: Tensor) -> Tensor:
    """The multi-sample bound InfoNCE, at most log(K + N) (van den Oord et al. 2018; Poole et al. 2019, eq. 10).

    The mean over j of log(e^f(x_j, y_j) / (1/(K + N) Σ_i e^f(x_i, y_j))): for each teacher feature, which student
    feature is its own? Tight and steady, but it cannot show more than log(K + N) nats.

    Args:
        scores: [K + N, K].

    Raises:
        ValueError: If `scores` has fewer rows than columns, no column, or fewer than two rows.
    """
    scores = _checked(scores)
    return (scores.diagonal() - torch.logsumexp(scores, dim=0)).mean() + math.log(len(scores))


def nwj(scores: Tensor) -> Tensor:
    """The bound of Nguyen, Wainwright and Jordan (2010; Poole et al. 2019, eq. 7): `tuba` with log_baseline = 1.

    Unbiased for the best critic f(x, y) = 1 + log p(x|y)/p(x), with a variance that grows as e^I.

    Args:
        scores: [K + N, K].

    Raises:
        ValueError: If `scores` has fewer rows than columns, no column, or fewer than two rows.
    """
    return tuba(scores, scores.new_ones(scores.shape[-1]))


def tuba(scores: Tensor, log_baseline: Tensor) -> Tensor:
    """The bound of Barber and Agakov without normaliser, made tractable by a baseline a(y) (Poole et al. 2019, eq. 6).

    1 + the mean over true pairs of f(x, y) - log a(y), minus the mean over the (K + N) K - K others of
    e^(f(x, y) - log a(y)).

    Args:
        scores: [K + N, K].
        log_baseline: [K], log a(y_j).

    Raises:
        ValueError: If `scores` has fewer rows than columns, no column, or fewer than two rows, or the baseline does
            not fit it.
    """
    scores = _checked(scores)
    _check_baseline(scores, log_baseline)
    advantage = scores - log_baseline
    return 1 + advantage.diagonal().mean() - _off_diagonal_mean(_exp(advantage))


def interpolated(scores: Tensor, log_baseline: Tensor, alpha: float) -> Tensor:
    """The bound I_α between InfoNCE and TUBA: MI-α (Poole et al. 2019, eq. 14).

    The baseline of y is α m + (1 - α) a(y), with m the mean of e^f(x, y) over the student features but one: for a
    pair that is not true, all but the true x; for a true pair, all but one of the others, averaged over which one.
    So each m is over K + N - 1. α = 1 is the multi-sample end, at most log(K + N - 1); α = 0 is `tuba`; between them
    the bound is at most 1 + log((K + N - 1) / α). Bias falls and variance rises from 1 to 0.

    Args:
        scores: [K + N, K].
        log_baseline: [K], log a(y_j).
        alpha: The share of the multi-sample baseline, 0 to 1; never its logit.

    Raises:
        ValueError: If `scores` has fewer rows than columns, no column, or fewer than two rows, the baseline does not
            fit it, or alpha is outside of 0 to 1.
    """
    scores = _checked(scores)
    _check_baseline(scores, log_baseline)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha {alpha} is no probability; give 0 (TUBA) to 1 (the multi-sample bound)")
    multi_sample = _leave_one_out_log_mean_exp(scores)
    # baseline[i, j]: of y_j, over all x but x_i
    baseline = torch.logaddexp(multi_sample + _log(alpha), log_baseline + _log(1 - alpha))
    joint = _off_diagonal_mean(scores.diagonal() - baseline)
    marginal = _off_diagonal_mean(_exp(scores - baseline.diagonal()))
    return 1 + joint - marginal


def _checked(scores: Tensor) -> Tensor:
    """In at least float32: half precision has neither the range nor the digits for exponentials."""
    if scores.dim() != 2 or scores.shape[0] < scores.shape[1]:
        raise ValueError(f"scores {tuple(scores.shape)} are not one for each x with each y, [K + N, K]")
    if scores.shape[1] < 1:
        raise ValueError(f"scores {tuple(scores.shape)} are of no pair: a bound needs K of 1 or more")
    if len(scores) < 2:
        raise ValueError("one pair has nothing to be told from: a bound needs K of 2 or more, or further rows")
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _check_baseline(scores: Tensor, log_baseline: Tensor) -> None:
    if log_baseline.shape != scores.shape[1:]:
        raise ValueError(f"a log_baseline {tuple(log_baseline.shape)} does not fit scores {tuple(scores.shape)}")


def _leave_one_out_log_mean_exp(scores: Tensor) -> Tensor:
    """[K + N, K]: at i, j the log of the mean of e^scores[:, j] over all rows but i."""
    # Sums of what is above and what is below: to subtract e^scores[i, j] from the whole would cancel where it is all.
    nothing = scores.new_full((1, scores.shape[1]), -math.inf)
    above = torch.cat([nothing, torch.logcumsumexp(scores[:-1], dim=0)])
    below = torch.cat([torch.logcumsumexp(scores[1:].flip(0), dim=0).flip(0), nothing])
    return torch.logaddexp(above, below) - math.log(len(scores) - 1)


def _off_diagonal_mean(values: Tensor) -> Tensor:
    others = ~torch.eye(*values.shape, dtype=torch.bool, device=values.device)
    return (values[others] / others.sum()).sum()  # divided first: the sum alone may be beyond the type's range


def _exp(values: Tensor) -> Tensor:
    largest = LARGEST_EXPONENT[values.dtype]
    return torch.exp(values.clamp(max=largest)) * (1 + (values - largest).clamp(min=0))


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf
