"""Scores of a rule: a metric's from the wins, the total from those of the groups."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from eval.leaderboard.rules import MetricGroup, RankingRule

LOWEST = 0.1
"""The score of the last team where scores are spaced evenly up to 1."""
_DIGITS = 9
"""Totals that agree to so many digits after the point are equal."""

TeamPairs = Bool[np.ndarray, "resamples teams teams"]
TeamScores = Float[np.ndarray, "resamples teams"]


def score(rule: RankingRule, wins: TeamPairs) -> TeamScores:
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
    rule: RankingRule,
    groups: dict[str, TeamScores],
    closed: Bool[np.ndarray, "resamples teams"],
) -> TeamScores:
    """The totals, from the scores of those groups that the task has.

    Args:
        rule: weights, cap and gate.
        groups: scores by the group's name.
        closed: teams that do not pass the gate.
    """
    present = [group for group in rule.groups if group.name in groups]
    weights = np.array([group.weight for group in present])
    weights /= weights.sum()
    scores = np.stack([_limited(rule, group, groups, closed) for group in present])
    if rule.combine == "geometric":
        return rule.scale * np.exp(np.tensordot(weights, np.log(scores), axes=1))
    return rule.scale * np.tensordot(weights, scores, axes=1)


def ranks_of(rule: RankingRule, totals: TeamScores) -> TeamScores:
    """Rank 1 for the best total; equal totals share the mean of their ranks."""
    rounded = np.round(totals, _DIGITS)
    return rankdata(rounded if rule.score == "rank" else -rounded, axis=1)


def _limited(
    rule: RankingRule,
    group: MetricGroup,
    groups: dict[str, TeamScores],
    closed: Bool[np.ndarray, "resamples teams"],
) -> TeamScores:
    """A group's scores after the gate and the cap."""
    scores = groups[group.name]
    if rule.gate and group.name in rule.gate.closes:
        scores = np.where(closed, 1 / scores.shape[1], scores)
    return np.minimum(scores, groups[group.capped_by]) if group.capped_by in groups else scores
