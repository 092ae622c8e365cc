"""Where a row would stand by its means alone, published rows included.

The same rule, but the better mean beats the worse: nothing is tested, so nothing is significant.
It is the only thing that can be said of a published line, and it is kept apart from the rank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.leaderboard.measure import Chosen, choose
from eval.leaderboard.published import Metric
from eval.leaderboard.ranking import Measured, rank
from eval.leaderboard.rules import Comparison, Rule

Means = Mapping[str, float | None]


@dataclass(frozen=True)
class Standing:
    """Of one row."""

    rank: float
    score: float


def standings(
    rule: Rule, metrics: Sequence[Metric], names: Sequence[str], means: Sequence[Means]
) -> tuple[list[Standing | None], tuple[str, ...]]:
    """Rank rows by their means in the metrics that all of them have.

    Args:
        rule: its hardest entries are left out, because they have no published mean.
        metrics: the columns.
        names: of the rows; the gate's baseline is found among them.
        means: of the rows, by metric. A row without any mean is not ranked.

    Returns:
        The standings, None for rows that cannot be ranked, and the names of the metrics that
        were compared.
    """
    rows = [i for i, row in enumerate(means) if any(value is not None for value in row.values())]
    chosen = [
        choice
        for choice in choose(rule, metrics)
        if choice.selector.hardest is None
        and all(means[i].get(choice.metric.name) is not None for i in rows)
    ]
    result: list[Standing | None] = [None] * len(means)
    if not rows or not chosen:
        return result, ()
    by_means = rule.model_copy(update={"comparison": Comparison(test="means")})
    gatekeepers = [k for k, i in enumerate(rows) if rule.gate and names[i] == rule.baseline]
    measured = [_measured(choice, [means[i] for i in rows]) for choice in chosen]
    ranking = rank(by_means, measured, gatekeepers[0] if gatekeepers else None)
    for team, place, total in zip(ranking.teams, ranking.ranks, ranking.scores, strict=True):
        result[rows[team]] = Standing(float(place), float(total))
    return result, tuple(choice.name for choice in chosen)


def _measured(chosen: Chosen, means: Sequence[Means]) -> Measured:
    values = np.array([[row[chosen.metric.name]] for row in means], dtype=np.float64)
    if chosen.selector.floor is not None:
        values = np.maximum(values, chosen.selector.floor)
    sign = 1 if chosen.metric.better == "higher" else -1
    return Measured(chosen.name, chosen.group.name, sign * values, np.zeros(1, np.int64))
