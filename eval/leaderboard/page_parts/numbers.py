"""How numbers are written and which of them is the best."""

import math
from collections.abc import Iterable

from eval.leaderboard.board import Board, MetricColumn
from eval.terminal import NOTHING

_SIGNIFICANT = 5


def decimals(numbers: Iterable[float | None]) -> int:
    """Digits after the point: four below ten, one less for each further digit before the point."""
    largest = max((abs(n) for n in numbers if n is not None), default=0.0)
    before = 1 + math.floor(math.log10(largest)) if largest >= 1 else 1
    return max(0, _SIGNIFICANT - before)


def metric_decimals(board: Board) -> dict[str, int]:
    """Digits after the point, the same for every number of a metric."""
    return {
        column.name: decimals(row.means.get(column.name) for row in board.rows)
        for column in board.columns
    }


def written(number: float | None, digits: int) -> str:
    """With so many digits after the point; a dash for None."""
    return NOTHING if number is None else f"{number:.{digits}f}"


def short(number: float) -> str:
    """As short as it is exact to four digits: ranks, weights, ticks.

    Example:
        >>> short(20.5), short(0.00001)
        ('20.5', '1e-5')
    """
    return f"{number:.4g}".replace("e-0", "e-")


def p_value(p: float | None) -> str:
    """To three digits after the point.

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
        there = [mean for row in board.rows if (mean := row.means.get(column.name)) is not None]
        if len(there) > 1:
            found[column.name] = max(there) if column.better == "higher" else min(there)
    return found


def direction(column: MetricColumn) -> str:
    """In words, with the unit.

    Example:
        >>> direction(MetricColumn(name="TRE_lm", unit="mm", better="lower", weight=0.4))
        'mm, lower is better'
    """
    return ", ".join(filter(None, (column.unit, f"{column.better} is better")))
