"""The ranking: all rows with rank, score and the mean of every metric."""

from dataclasses import dataclass

from eval.leaderboard.board import Board, BoardRow
from eval.leaderboard.page_parts.numbers import best_means, metric_decimals
from eval.plots.numbers import decimals, short


@dataclass(frozen=True)
class RankingTable:
    """Facts that the rows of a board have in common."""

    digits: dict[str, int]
    """After the point, by metric."""
    score_digits: int
    best: dict[str, float]
    """The best mean by metric; only where there is a choice."""
    deviating: frozenset[str]
    """Metrics of which at least one row has a standard deviation."""
    sources: tuple[str, ...]
    """Of published rows, each once."""
    last_rank: float
    two_kinds: bool
    """True if submissions and published rows are both shown."""
    scored: bool
    """True if any row has a score; likewise the others below."""
    by_means: bool
    intervals: bool
    dated: bool
    manifests: bool
    reports: bool

    def at(self, rank: float) -> str:
        """The place of a rank on the bar of its interval."""
        return f"{6 + 88 * (rank - 1) / max(self.last_rank - 1, 1):.1f}%"


def ranking_table(board: Board) -> RankingTable:
    """The table of a board's rows."""
    rows = board.rows
    ranks = [row.rank for row in rows if row.rank is not None]
    ends = [row.interval[1] for row in rows if row.interval is not None]
    return RankingTable(
        digits=metric_decimals(board),
        score_digits=decimals(row.score for row in rows),
        best=best_means(board),
        deviating=frozenset(name for row in rows for name in row.deviations),
        sources=tuple(dict.fromkeys(row.source for row in rows if row.source)),
        last_rank=max([1.0, *ranks, *ends]),
        two_kinds=len({row.kind for row in rows}) > 1,
        scored=any(row.score is not None for row in rows),
        by_means=any(row.rank_by_means is not None and row.kind == "published" for row in rows),
        intervals=any(row.interval is not None for row in rows),
        dated=any(row.added for row in rows),
        manifests=any(row.manifest for row in rows),
        reports=any(row.report for row in rows),
    )


def reported(row: BoardRow) -> str:
    """Rank and score as the organisers published them."""
    rank = "" if row.published_rank is None else f"rank {row.published_rank}"
    score = "" if row.published_score is None else f"score {short(row.published_score)}"
    text = ", ".join(filter(None, (rank, score)))
    return f"{text} as published" if text else ""
