"""Numbers as text, and the best of them."""

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
    """A number with so many digits after the point; a dash for None."""
    return NOTHING if number is None else f"{number:.{digits}f}"


def short(number: float) -> str:
    """A number to four digits, as short as that allows: ranks, weights, ticks.

    Example:
        >>> short(20.5), short(0.00001)
        ('20.5', '1e-5')
    """
    return f"{number:.4g}".replace("e-0", "e-")


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


def percent(number: float) -> str:
    """A place on an axis as SVG writes it."""
    return f"{number:.2f}%"
