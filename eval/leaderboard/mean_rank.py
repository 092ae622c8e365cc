"""The rank of a row by its means alone, published rows included.

The same rule, but the better mean beats the worse: nothing is tested, so nothing is significant.
It is the only thing that can be said of a published line, and it is kept apart from the rank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.leaderboard.measure import RankedMetric, choose
from eval.leaderboard.pairwise import OrientedValues
from eval.leaderboard.published import MetricInfo
from eval.leaderboard.ranking import rank
from eval.leaderboard.rules import RankingRule, TeamComparison

Means = Mapping[str, float | None]


@dataclass(frozen=True)
class MeanRank:
    """Rank and score of one row by its means; None where it cannot be ranked."""

    rank: float | None = None
    score: float | None = None


def mean_ranks(
    rule: RankingRule, metrics: Sequence[MetricInfo], names: Sequence[str], means: Sequence[Means]
) -> tuple[list[MeanRank], tuple[str, ...]]:
    """Rank rows by their means in the metrics that all of them have.

    Args:
        rule: its hardest entries are left out, because they have no published mean.
        metrics: the columns.
        names: of the rows; the gate's baseline is found among them.
        means: of the rows, by metric. A row without any mean is not ranked.

    Returns:
        The rank of every row, and the names of the metrics that were compared.
    """
    rows = [i for i, row in enumerate(means) if any(value is not None for value in row.values())]
    shared = _shared(choose(rule, metrics), [means[i] for i in rows])
    result = [MeanRank()] * len(means)
    if not rows or not shared:
        return result, ()
    by_means = rule.model_copy(update={"comparison": TeamComparison(test="means")})
    gatekeepers = [k for k, i in enumerate(rows) if rule.gate and names[i] == rule.baseline]
    values = [_oriented(metric, [means[i] for i in rows]) for metric in shared]
    ranking = rank(by_means, values, gatekeepers[0] if gatekeepers else None)
    for team, place, total in zip(ranking.teams, ranking.ranks, ranking.scores, strict=True):
        result[rows[team]] = MeanRank(float(place), float(total))
    return result, tuple(metric.name for metric in shared)


def _shared(ranked: Sequence[RankedMetric], means: Sequence[Means]) -> list[RankedMetric]:
    """The metrics that every row has a mean of."""
    return [
        metric
        for metric in ranked
        if metric.selector.hardest is None
        and all(row.get(metric.info.name) is not None for row in means)
    ]


def _oriented(metric: RankedMetric, means: Sequence[Means]) -> OrientedValues:
    values = np.array([[row[metric.info.name]] for row in means], dtype=np.float64)
    if metric.selector.floor is not None:
        values = np.maximum(values, metric.selector.floor)
    return OrientedValues(
        metric.name, metric.group.name, metric.sign * values, np.zeros(1, np.int64)
    )
