"""One-sided tests whether a team is better than another: every ordered pair, on many resamples.

A resample draws cases with replacement, so it is a weight per case: how often it was drawn. Both
test statistics are sums over pairs of entries, hence quadratic in these weights:

    rank sum       U = sum_uv w_u w_v M_uv,  M_uv = entries (i, j) of cases u, v with a_i > b_j
    signed rank    W = sum_uv w_u w_v Q_uv + 1/2 sum_u w_u n_u,
                   Q_uv = entries (i, j) of cases u, v with d_i > 0 and |d_i| > |d_j| > 0

where equal ones count half, d = a - b, and n_u counts the d_i > 0 of case u. So the entries are
compared once, and a thousand resamples are two products of matrices.

Source:
    Mann and Whitney (1947), doi:10.1214/aoms/1177730491; Wilcoxon (1945), doi:10.2307/3001968,
    with the correction of the variance for ties that scipy uses.
"""

from functools import cache
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm, rankdata

TestKind = Literal["signed_rank", "rank_sum", "means"]
TeamValues = Float[np.ndarray, "teams entries"]
"""The greater the better; -inf where there is no usable value, which loses to all others."""
CaseWeights = Float[np.ndarray, "resamples units"]
EXACT, EXACT_WITH_TIES = 50, 13
"""Differing entries up to which the signed-rank test is exact, without ties and with them."""


def superiority(
    test: TestKind, values: TeamValues, units: Int[np.ndarray, " entries"], weights: CaseWeights
) -> Float[np.ndarray, "resamples teams teams"]:
    """`p[r, i, j]` of resample `r`: could `i` look as good against `j` by chance?

    Args:
        test: `signed_rank` for paired entries, `rank_sum` for unpaired ones, both by their normal
            approximation; `means` tests nothing, and is 0 where the mean of `i` is better, else 1.
        values: one row per team.
        units: to which case (or patient) each entry belongs.
        weights: how often each case was drawn.
    """
    count, resamples = len(values), len(weights)
    result = np.ones((resamples, count, count))
    if test == "means":
        means = _means(values, units, weights)
        return np.where(means[:, :, None] > means[:, None, :], 0.0, 1.0)
    z_scores = _signed_rank if test == "signed_rank" else _rank_sum
    for i in range(count):
        for j in range(i + 1, count):
            z = z_scores(values[i], values[j], units, weights)
            result[:, i, j], result[:, j, i] = norm.sf(z), norm.cdf(z)
    return result


def exact_superiority(
    values: TeamValues, approximate: Float[np.ndarray, "teams teams"]
) -> Float[np.ndarray, "teams teams"]:
    """The signed-rank test, exact where `scipy.stats.wilcoxon` is: for few entries.

    Args:
        values: one row per team.
        approximate: p-values by the normal approximation, kept for pairs with many entries.
    """
    result = approximate.copy()
    np.fill_diagonal(result, 1.0)
    for i, j in combinations(range(len(values)), 2):
        d = differences(values[i], values[j])
        d = d[d != 0]
        ranks = rankdata(np.abs(d))
        tied = len(np.unique(ranks)) < len(d)
        if len(d) > (EXACT_WITH_TIES if tied else EXACT):
            continue
        factor = 2 if tied else 1  # twice the mean of tied ranks is whole
        whole = np.round(factor * ranks).astype(np.int64)
        chances = sum_distribution(whole) if tied else _untied_distribution(len(d))
        positive = int(whole[d > 0].sum())
        result[i, j] = chances[positive:].sum()
        result[j, i] = chances[: positive + 1].sum()
    return result


def sum_distribution(ranks: Int[np.ndarray, " n"]) -> Float[np.ndarray, " sums"]:
    """Probability of every sum of ranks, each of which takes part with probability 1/2.

    Example:
        >>> sum_distribution(np.array([1, 2]))
        array([0.25, 0.25, 0.25, 0.25])
    """
    chances = np.zeros(1 + int(ranks.sum()))
    chances[0] = 1.0
    for r in ranks:
        chances[r:] = (chances[r:] + chances[: len(chances) - r]) / 2
        chances[:r] /= 2
    return chances


@cache
def _untied_distribution(count: int) -> Float[np.ndarray, " sums"]:
    return sum_distribution(np.arange(1, count + 1))


def two_sided(
    p: Float[np.ndarray, "resamples teams teams"],
) -> Float[np.ndarray, "resamples teams teams"]:
    """`min(1, 2 min(p_ij, p_ji))`."""
    return np.minimum(1.0, 2 * np.minimum(p, p.swapaxes(1, 2)))


def holm(
    p: Float[np.ndarray, "resamples tests"],
) -> Float[np.ndarray, "resamples tests"]:
    """p-values adjusted together, so that none of them is wrong with the given probability.

    `p'_(k) = max over j <= k of min(1, (m - j + 1) p_(j))` for the `m` sorted p-values.

    Example:
        >>> holm(np.array([[0.01, 0.04, 0.03]]))
        array([[0.03, 0.06, 0.06]])

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    order = np.argsort(p, axis=1)
    factors = np.arange(p.shape[1], 0, -1)
    stepped = np.maximum.accumulate(np.take_along_axis(p, order, axis=1) * factors, axis=1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=1)
    return adjusted


def differences(
    a: Float[np.ndarray, " entries"], b: Float[np.ndarray, " entries"]
) -> Float[np.ndarray, " entries"]:
    """`a - b`; 0 where both have no usable value."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def _rank_sum(
    a: Float[np.ndarray, " entries"],
    b: Float[np.ndarray, " entries"],
    units: Int[np.ndarray, " entries"],
    weights: CaseWeights,
) -> Float[np.ndarray, " resamples"]:
    """Without a correction for ties, as `scipy.stats.ranksums`."""
    wins = dominance(a, units, b, units, weights.shape[1])
    u = ((weights @ wins) * weights).sum(axis=1)
    n = weights @ np.bincount(units, minlength=weights.shape[1])
    return _standardised(u - n * n / 2, n * n * (2 * n + 1) / 12)


def _signed_rank(
    a: Float[np.ndarray, " entries"],
    b: Float[np.ndarray, " entries"],
    units: Int[np.ndarray, " entries"],
    weights: CaseWeights,
) -> Float[np.ndarray, " resamples"]:
    """Zero differences are left out, ties correct the variance, as `scipy.stats.wilcoxon`."""
    d = differences(a, b)
    kept = d != 0
    size, units, positive, d = np.abs(d)[kept], units[kept], d[kept] > 0, d[kept]
    count = weights.shape[1]
    wins = dominance(size[positive], units[positive], size, units, count)
    ahead = np.bincount(units[positive], minlength=count)
    w = ((weights @ wins) * weights).sum(axis=1) + weights @ ahead / 2
    n = weights @ np.bincount(units, minlength=count)
    variance = n * (n + 1) * (2 * n + 1) / 24 - _ties(size, units, weights) / 48
    return _standardised(w - n * (n + 1) / 4, variance)


def dominance(
    a: Float[np.ndarray, " n"],
    a_units: Int[np.ndarray, " n"],
    b: Float[np.ndarray, " m"],
    b_units: Int[np.ndarray, " m"],
    count: int,
) -> Float[np.ndarray, "units units"]:
    """Count the entries of `a` in unit `u` that are greater than those of `b` in unit `v`.

    Equal ones count half.
    """
    result = np.zeros((count, count))
    for unit in np.unique(b_units):
        others = np.sort(b[b_units == unit])
        beaten = (np.searchsorted(others, a, "left") + np.searchsorted(others, a, "right")) / 2
        result[:, unit] = np.bincount(a_units, weights=beaten, minlength=count)
    return result


def _ties(
    size: Float[np.ndarray, " n"], units: Int[np.ndarray, " n"], weights: CaseWeights
) -> Float[np.ndarray, " resamples"]:
    """Sum of `t^3 - t` over groups of `t` equal values; entries drawn again are equal too."""
    _, group, members = np.unique(size, return_inverse=True, return_counts=True)
    alone = np.bincount(units[members[group] == 1], minlength=weights.shape[1])
    result = (weights**3 - weights) @ alone
    shared = np.flatnonzero(members > 1)
    table = np.zeros((weights.shape[1], len(members)))
    np.add.at(table, (units, group), 1)
    t = weights @ table[:, shared]
    return result + (t**3 - t).sum(axis=1)


def _means(
    values: TeamValues, units: Int[np.ndarray, " entries"], weights: CaseWeights
) -> Float[np.ndarray, "resamples teams"]:
    each = weights[:, units]
    finite = np.where(np.isfinite(values), values, 0.0)
    lost = each @ (~np.isfinite(values)).T > 0
    drawn = np.maximum(each.sum(axis=1, keepdims=True), 1)
    return np.where(lost, -np.inf, each @ finite.T / drawn)


def _standardised(
    distance: Float[np.ndarray, " resamples"], variance: Float[np.ndarray, " resamples"]
) -> Float[np.ndarray, " resamples"]:
    """In standard deviations; 0 where nothing varies."""
    return distance / np.sqrt(np.where(variance > 0, variance, np.inf))
