"""Ranks teams by a rule: comparisons, scores of metrics, scores of groups, total."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from eval.leaderboard.comparison import CaseWeights
from eval.leaderboard.pairwise import MetricOutcome, MetricTests, OrientedValues, Teams, compare
from eval.leaderboard.rule_scores import TeamScores, combine, ranks_of, score
from eval.leaderboard.rules import RankingRule

QUANTILES = (0.025, 0.975)
"""Of the ranks on the resamples: the ends of the interval."""
SEED = 2024


@dataclass(frozen=True)
class TeamRank:
    """The outcome for one team; None where it is not ranked."""

    rank: float | None = None
    score: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Ranking:
    """The outcome for the teams that are ranked."""

    teams: Teams
    """Their numbers: all but the baseline of a gate."""
    outcomes: tuple[MetricOutcome, ...]
    """Per metric; of one resample, the cases as they are."""
    scores: Float[np.ndarray, " ranked"]
    ranks: Float[np.ndarray, " ranked"]
    """1 is the best, ties share a mean."""
    intervals: Float[np.ndarray, "ranked 2"] | None
    """The ranks between which 95 % of the resamples lie; None without resamples."""

    def of(self, team: int) -> TeamRank:
        """The outcome for a team."""
        if team not in self.teams:
            return TeamRank()
        k = int(np.flatnonzero(self.teams == team)[0])
        interval = None
        if self.intervals is not None:
            interval = (float(self.intervals[k, 0]), float(self.intervals[k, 1]))
        return TeamRank(float(self.ranks[k]), float(self.scores[k]), interval)


def rank(
    rule: RankingRule,
    metrics: list[OrientedValues],
    gatekeeper: int | None = None,
    weights: CaseWeights | None = None,
) -> Ranking:
    """Rank teams.

    Args:
        rule: how.
        metrics: the rule's metrics, at least one.
        gatekeeper: the team that the rule's gate refers to; without it the gate stands open.
        weights: the resamples for the intervals.
    """
    everyone = np.arange(len(metrics[0].values))
    teams = everyone[everyone != gatekeeper]
    units = 1 + max(int(metric.units.max(initial=0)) for metric in metrics)
    drawn = np.empty((0, units)) if weights is None else weights
    tests = [(metric.group, compare(rule.comparison, metric, drawn)) for metric in metrics]
    scores = _totals(rule, tests, teams, gatekeeper)
    ranks = ranks_of(rule, scores)
    return Ranking(
        teams,
        tuple(each.outcome(rule.comparison, teams, slice(1)) for _, each in tests),
        scores[0],
        ranks[0],
        np.quantile(ranks[1:], QUANTILES, axis=0, method="inverted_cdf").T if len(drawn) else None,
    )


def resamples(units: int, count: int, seed: int = SEED) -> CaseWeights:
    """Count how often each of some cases is drawn, with replacement, in each resample."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=count).astype(np.float64)


def _totals(
    rule: RankingRule, tests: list[tuple[str, MetricTests]], teams: Teams, gatekeeper: int | None
) -> TeamScores:
    """The total of every resample, from each metric's group and tests."""
    scores: dict[str, list[TeamScores]] = {}
    for group, each in tests:
        wins = each.outcome(rule.comparison, teams).wins
        scores.setdefault(group, []).append(score(rule, wins))
    groups = {name: np.mean(several, axis=0) for name, several in scores.items()}
    return combine(rule, groups, _closed(rule, tests, teams, gatekeeper))


def _closed(
    rule: RankingRule, tests: list[tuple[str, MetricTests]], teams: Teams, gatekeeper: int | None
) -> Bool[np.ndarray, "resamples ranked"]:
    """The teams that do not pass the gate."""
    if rule.gate is None or gatekeeper is None:
        return np.zeros((len(tests[0][1].p_values), len(teams)), np.bool_)
    passed = [
        each.wins_against(rule.comparison, teams, gatekeeper)
        for group, each in tests
        if group == rule.gate.group
    ]
    return np.sum(passed, axis=0) < rule.gate.wins
