"""Numbers of a board as text, and the best of them."""

from eval.leaderboard.board import Board, MetricColumn
from eval.plots.numbers import NOTHING, decimals


def metric_decimals(board: Board) -> dict[str, int]:
    """Digits after the point, the same for every number of a metric."""
    return {
        column.name: decimals(row.means.get(column.name) for row in board.rows)
        for column in board.columns
    }


def p_value(p: float | None) -> str:
    """A p-value to three digits after the point.

    Example:
        >>> p_value(0.0004), p_value(0.0123), p_value(1.0)
        ('<.001', '.012', '1.00')
    """
    if p is None:
        return NOTHING
    if p < 0.001:
        return "<.001"
    return f"{p:.3f}".removeprefix("0") if p < 0.9995 else "1.00"


def best_means(board: Board) -> dict[str, float]:
    """The best mean of each metric, published ones included, where at least two rows have one."""
    found = {}
    for column in board.columns:
        means = [mean for row in board.rows if (mean := row.means.get(column.name)) is not None]
        if len(means) > 1:
            found[column.name] = max(means) if column.better == "higher" else min(means)
    return found


def direction(column: MetricColumn) -> str:
    """The better direction in words, with the unit.

    Example:
        >>> direction(MetricColumn(name="TRE_lm", unit="mm", better="lower", weight=0.4))
        'mm, lower is better'
    """
    return ", ".join(filter(None, (column.unit, f"{column.better} is better")))
