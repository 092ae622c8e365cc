"""Makes the board of a task from the database, a rule and the published tables."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from eval.leaderboard.board import Board, CaseValues, MetricColumn, PairwiseTests
from eval.leaderboard.board_rows import board_rows, finite
from eval.leaderboard.competition import Competition
from eval.leaderboard.measure import MetricValues, choose, measure, units_of, weights
from eval.leaderboard.notes import notes
from eval.leaderboard.pairwise import MetricOutcome
from eval.leaderboard.ranking import Ranking, rank, resamples
from eval.leaderboard.rules import RankingRule
from eval.leaderboard.store import MetricTable, TaskSubmissions

RESAMPLES = 1000


def assemble(competition: Competition, *, bootstraps: int = RESAMPLES) -> Board:
    """Rank the submissions, and put everything that a board shows in one record."""
    loaded, rule = competition.loaded, competition.rule
    values = list(measure(rule, choose(rule, competition.metrics), loaded))
    ranking = _rank(rule, values, loaded, bootstraps)
    shown = _shown_tables(competition, values)
    rows, compared = board_rows(competition, shown, ranking)
    means = [row.means for row in rows]
    return Board(
        task=competition.task.name,
        title=competition.task.title,
        rule=rule.name,
        rule_text=rule.text,
        rule_source=rule.source,
        made=f"{datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()}Z",
        columns=_columns(competition, values, {name for row in means for name in row}),
        rows=tuple(rows),
        cases=loaded.cases,
        labels=tuple(str(label) for label in competition.protocol.labels or ()),
        values=tuple(_case_values(competition, shown)),
        pairwise_tests=_pairwise_tests(values, loaded, ranking),
        notes=tuple(notes(competition, values, compared)),
    )


def _rank(
    rule: RankingRule, values: Sequence[MetricValues], loaded: TaskSubmissions, bootstraps: int
) -> Ranking | None:
    """The ranking of the submissions; None where they have no metric of the rule."""
    if not values:
        return None
    units = units_of(rule, loaded.cases)
    names = [submission.name for submission in loaded.submissions]
    gatekeeper = names.index(rule.baseline) if rule.gate and rule.baseline in names else None
    weights = resamples(int(units.max()) + 1, bootstraps)
    return rank(rule, [metric.oriented(units) for metric in values], gatekeeper, weights)


def _shown_tables(
    competition: Competition, values: Sequence[MetricValues]
) -> list[dict[str, MetricTable]]:
    """The columns of every submission: its metrics, and the hardest entries of some."""
    names, count = [metric.name for metric in competition.metrics], len(competition.loaded.cases)
    hardest = [metric for metric in values if metric.metric.selector.hardest]
    return [
        {name: submission.tables[name] for name in names if name in submission.tables}
        | {metric.metric.name: _by_case(metric, team, count) for metric in hardest}
        for team, submission in enumerate(competition.loaded.submissions)
    ]


def _by_case(hardest: MetricValues, team: int, count: int) -> MetricTable:
    """Mean per case of the entries that count among the hardest."""
    entries = np.bincount(hardest.cases, minlength=count)
    with np.errstate(invalid="ignore"):  # a case that has none
        means = np.bincount(hardest.cases, hardest.values[team], minlength=count) / entries
    return MetricTable(means, entries > 0, np.empty((count, 0)))


def _columns(
    competition: Competition, values: Sequence[MetricValues], present: set[str]
) -> tuple[MetricColumn, ...]:
    """The metrics that at least one row has; the hardest entries after the whole metrics."""
    share = weights([metric.metric for metric in values])
    infos = {metric.name: metric for metric in competition.metrics}
    infos |= {metric.metric.name: metric.metric.info for metric in values}
    return tuple(
        MetricColumn(name=name, unit=info.unit, better=info.better, weight=share.get(name, 0.0))
        for name, info in infos.items()
        if name in present
    )


def _case_values(
    competition: Competition, shown: Sequence[dict[str, MetricTable]]
) -> list[CaseValues]:
    count = len(competition.protocol.labels or ())
    return [
        CaseValues(
            submission=submission.name,
            metric=metric,
            cases=tuple(finite(value) for value in table.means),
            labels=_label_means(table) if count and table.labels.shape[1] == count else (),
        )
        for submission, tables in zip(competition.loaded.submissions, shown, strict=True)
        for metric, table in tables.items()
    ]


def _label_means(table: MetricTable) -> tuple[float | None, ...]:
    """Mean of each structure over the cases that have it; None where none has."""
    has = np.isfinite(table.labels)
    sums = np.where(has, table.labels, 0.0).sum(axis=0)
    counts = has.sum(axis=0)
    return tuple(float(total / n) if n else None for total, n in zip(sums, counts, strict=True))


def _pairwise_tests(
    values: Sequence[MetricValues], loaded: TaskSubmissions, ranking: Ranking | None
) -> tuple[PairwiseTests, ...]:
    if ranking is None:
        return ()
    names = tuple(loaded.submissions[team].name for team in ranking.teams)
    return tuple(
        PairwiseTests(
            metric=metric.metric.name,
            names=names,
            p_values=_p_values(outcome),
            wins=tuple(tuple(map(bool, row)) for row in outcome.wins[0]),
        )
        for metric, outcome in zip(values, ranking.outcomes, strict=True)
    )


def _p_values(outcome: MetricOutcome) -> tuple[tuple[float | None, ...], ...]:
    """The p-values of the cases as they are; None for a team against itself."""
    return tuple(
        tuple(None if i == j else float(p) for j, p in enumerate(row))
        for i, row in enumerate(outcome.p_values[0])
    )
