"""Ranks teams by a rule: comparisons, scores of metrics, scores of groups, total."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from eval.leaderboard.comparison import (
    Values,
    Weights,
    exact_superiority,
    holm,
    superiority,
    two_sided,
)
from eval.leaderboard.rules import Comparison, Rule

LOWEST = 0.1
"""The score of the last team where scores are spaced evenly up to 1."""
QUANTILES = (0.025, 0.975)
"""Of the ranks on the resamples: the ends of the interval."""
SEED = 2024
_DIGITS = 9
"""Totals that agree to so many digits after the point are equal."""

Matrices = Float[np.ndarray, "resamples teams teams"]
Truths = Bool[np.ndarray, "resamples teams teams"]
Scores = Float[np.ndarray, "resamples teams"]


@dataclass(frozen=True)
class Measured:
    """One metric of a rule, of all teams."""

    name: str
    group: str
    values: Values
    units: Int[np.ndarray, " entries"]


@dataclass(frozen=True)
class Versus:
    """Every ranked team against every other in one metric."""

    p_values: Matrices
    """As the rule corrects them."""
    wins: Truths


@dataclass(frozen=True)
class Ranking:
    """The outcome for the teams that are ranked."""

    teams: Int[np.ndarray, " ranked"]
    """Which they are: all but the baseline of a gate."""
    versus: tuple[Versus, ...]
    """Per metric; of one resample, the cases as they are."""
    scores: Float[np.ndarray, " ranked"]
    ranks: Float[np.ndarray, " ranked"]
    """1 is the best, ties share a mean."""
    intervals: Float[np.ndarray, "ranked 2"] | None
    """Between which ranks 95 % of the resamples lie; None without resamples."""


@dataclass(frozen=True)
class _Tested:
    """Uncorrected p-values of all teams in one metric, and who is ahead.

    The first of the resamples is the cases as they are.
    """

    p_values: Matrices
    ahead: Truths


def rank(
    rule: Rule,
    measured: list[Measured],
    gatekeeper: int | None = None,
    weights: Weights | None = None,
) -> Ranking:
    """Rank teams.

    Args:
        rule: how.
        measured: its metrics, at least one.
        gatekeeper: which of the teams the rule's gate refers to; without it the gate stands open.
        weights: the resamples for the intervals.
    """
    everyone = np.arange(len(measured[0].values))
    teams = everyone[everyone != gatekeeper]
    units = 1 + max(int(metric.units.max(initial=0)) for metric in measured)
    drawn = np.empty((0, units)) if weights is None else weights
    tested = [_tested(rule.comparison, metric, drawn) for metric in measured]
    scores = _totals(rule, measured, tested, teams, gatekeeper)
    ranks = ranks_of(rule, scores)
    return Ranking(
        teams,
        tuple(_decide(rule.comparison, _among(metric, teams, slice(1))) for metric in tested),
        scores[0],
        ranks[0],
        np.quantile(ranks[1:], QUANTILES, axis=0, method="inverted_cdf").T if len(drawn) else None,
    )


def resamples(units: int, count: int, seed: int = SEED) -> Weights:
    """How often each of some cases is drawn, with replacement, in each resample."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=count).astype(np.float64)


def score(rule: Rule, wins: Truths) -> Scores:
    """The scores of one metric.

    Example:
        >>> from eval.leaderboard.rules import load_rule
        >>> beaten_by = np.array([[[0, 1, 1], [0, 0, 0], [0, 0, 0]]], bool)
        >>> score(load_rule("lumir24"), beaten_by)
        array([[1.   , 0.325, 0.325]])
    """
    count = wins.shape[1]
    better = wins.sum(axis=2) if rule.count == "wins" else -wins.sum(axis=1)
    if rule.score == "share":
        return (better + 1) / count
    if rule.score == "rank":
        return rankdata(-better, axis=1)
    steps = max(count - 1, 1)
    return LOWEST + (1 - LOWEST) * (rankdata(better, axis=1) - 1) / steps


def combine(
    rule: Rule, groups: dict[str, Scores], closed: Bool[np.ndarray, "resamples teams"]
) -> Scores:
    """The totals, from the scores of those groups that the task has.

    Args:
        rule: weights, cap and gate.
        groups: by their names.
        closed: who does not pass the gate.
    """
    capped = {}
    for group in rule.groups:
        if group.name not in groups:
            continue
        value = groups[group.name]
        if rule.gate and group.name in rule.gate.closes:
            value = np.where(closed, 1 / value.shape[1], value)
        if group.capped_by in groups:
            value = np.minimum(value, groups[group.capped_by])
        capped[group.name] = value
    weights = np.array([group.weight for group in rule.groups if group.name in capped])
    each = np.stack(list(capped.values()))
    if rule.combine == "geometric":
        each = np.log(each)
    total = np.tensordot(weights / weights.sum(), each, axes=1)
    return rule.scale * (np.exp(total) if rule.combine == "geometric" else total)


def ranks_of(rule: Rule, totals: Scores) -> Scores:
    """1 for the best total; equal totals share the mean of their ranks."""
    rounded = np.round(totals, _DIGITS)
    return rankdata(rounded if rule.score == "rank" else -rounded, axis=1)


def _tested(comparison: Comparison, metric: Measured, drawn: Weights) -> _Tested:
    """The cases as they are, and then every resample."""
    weights = np.concatenate([np.ones((1, drawn.shape[1])), drawn])
    p = superiority(comparison.test, metric.values, metric.units, weights)
    if comparison.test == "signed_rank":
        p[0] = exact_superiority(metric.values)
    ahead = p < p.swapaxes(1, 2)
    return _Tested(two_sided(p) if comparison.sided == "two" else p, ahead)


def _among(tested: _Tested, teams: Int[np.ndarray, " ranked"], drawn: slice) -> _Tested:
    """Some teams in some of the resamples."""
    return _Tested(
        tested.p_values[drawn][:, teams][:, :, teams], tested.ahead[drawn][:, teams][:, :, teams]
    )


def _decide(comparison: Comparison, tested: _Tested) -> Versus:
    p = tested.p_values
    if comparison.correction == "holm":
        others = ~np.eye(p.shape[1], dtype=np.bool_)
        corrected = np.ones_like(p)
        corrected[:, others] = holm(p[:, others])
        p = corrected
    return Versus(p, tested.ahead & (p < comparison.alpha))


def _totals(
    rule: Rule,
    measured: list[Measured],
    tested: list[_Tested],
    teams: Int[np.ndarray, " ranked"],
    gatekeeper: int | None,
) -> Scores:
    scores: dict[str, list[Scores]] = {}
    for metric, result in zip(measured, tested, strict=True):
        wins = _decide(rule.comparison, _among(result, teams, slice(None))).wins
        scores.setdefault(metric.group, []).append(score(rule, wins))
    groups = {name: np.mean(each, axis=0) for name, each in scores.items()}
    closed = np.zeros((len(tested[0].p_values), len(teams)), np.bool_)
    if rule.gate and gatekeeper is not None:
        passed = [
            _beats(rule.comparison, result, teams, gatekeeper)
            for metric, result in zip(measured, tested, strict=True)
            if metric.group == rule.gate.group
        ]
        closed = np.sum(passed, axis=0) < rule.gate.wins
    return combine(rule, groups, closed)


def _beats(
    comparison: Comparison, tested: _Tested, teams: Int[np.ndarray, " ranked"], gatekeeper: int
) -> Bool[np.ndarray, "resamples ranked"]:
    """Which teams beat the baseline of a gate; corrected over these comparisons alone."""
    p = tested.p_values[:, teams, gatekeeper]
    if comparison.correction == "holm":
        p = holm(p)
    return tested.ahead[:, teams, gatekeeper] & (p < comparison.alpha)
