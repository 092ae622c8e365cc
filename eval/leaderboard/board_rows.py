"""Rows of a board: submissions by rank, then lines of published tables by their means."""

from collections.abc import Mapping, Sequence

import numpy as np

from eval.leaderboard.board import BoardRow
from eval.leaderboard.competition import Competition
from eval.leaderboard.mean_rank import MeanRank, mean_ranks
from eval.leaderboard.published import PublishedTable, PublishedTeam
from eval.leaderboard.ranking import Ranking, TeamRank
from eval.leaderboard.store import LoadedSubmission, MetricTable

ColumnValues = dict[str, float | None]


def board_rows(
    competition: Competition, shown: Sequence[Mapping[str, MetricTable]], ranking: Ranking | None
) -> tuple[list[BoardRow], tuple[str, ...]]:
    """Make the rows.

    Args:
        competition: submissions and published tables.
        shown: of each submission, the metrics of the board.
        ranking: of the submissions; None where nothing can be ranked.

    Returns:
        The rows, best first, and the metrics by which all of them were ranked by their means.
    """
    submissions = competition.loaded.submissions
    published = [(table, team) for table in competition.tables for team in table.rows]
    names = [*(each.name for each in submissions), *(team.name for _, team in published)]
    means = [_means(tables) for tables in shown]
    means += [_published_numbers(table, team.values) for table, team in published]
    by_means, compared = mean_ranks(competition.rule, competition.metrics, names, means)
    rows = [
        _submission_row(each, shown[team], ranking.of(team) if ranking else TeamRank(), place)
        for team, (each, place) in enumerate(zip(submissions, by_means, strict=False))
    ]
    places = by_means[len(submissions) :]
    rows += [_published_row(*line, place) for line, place in zip(published, places, strict=True)]
    return sorted(rows, key=_order), compared


def finite(value: float | None) -> float | None:
    """None for what is no finite number."""
    return None if value is None or not np.isfinite(value) else float(value)


def _submission_row(
    submission: LoadedSubmission,
    tables: Mapping[str, MetricTable],
    place: TeamRank,
    by_means: MeanRank,
) -> BoardRow:
    return BoardRow(
        name=submission.name,
        kind="submission",
        rank=place.rank,
        interval=place.interval,
        score=place.score,
        means=_means(tables),
        deviations=_deviations(tables),
        added=submission.added,
        note=submission.note,
        manifest=submission.manifest,
        rank_by_means=by_means.rank,
        score_by_means=by_means.score,
    )


def _published_row(table: PublishedTable, team: PublishedTeam, by_means: MeanRank) -> BoardRow:
    return BoardRow(
        name=team.name,
        kind="published",
        rank=None,
        means=_published_numbers(table, team.values),
        deviations=_published_numbers(table, team.deviations),
        note=team.note,
        source=table.origin,
        table=table.name,
        published_rank=team.rank,
        published_score=team.score,
        rank_by_means=by_means.rank,
        score_by_means=by_means.score,
    )


def _means(tables: Mapping[str, MetricTable]) -> ColumnValues:
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, as for the organisers
        return {name: finite(table.means[table.has].mean()) for name, table in tables.items()}


def _deviations(tables: Mapping[str, MetricTable]) -> ColumnValues:
    with np.errstate(invalid="ignore"):
        return {name: finite(table.means[table.has].std()) for name, table in tables.items()}


def _published_numbers(table: PublishedTable, numbers: Sequence[float]) -> ColumnValues:
    """By metric; empty where the table has none of the team."""
    names = [metric.name for metric in table.columns]
    return dict(zip(names, map(finite, numbers), strict=False))


def _order(row: BoardRow) -> tuple[bool, float, float]:
    """Submissions by rank, then published lines by their means."""
    last = float("inf")
    by_means = last if row.rank_by_means is None else row.rank_by_means
    return (row.kind == "published", last if row.rank is None else row.rank, by_means)
