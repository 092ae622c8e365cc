"""Box plots: every case of every submission, one plot per metric.

A box goes from the lower to the upper quartile with a line at the median; its whiskers end at the
outermost cases within 1.5 box lengths (Tukey, Exploratory Data Analysis, 1977). Places are in
percent of the width, so a plot is as wide as the screen lets it be without being drawn anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.leaderboard.board import Board, CaseValues, MetricColumn
from eval.leaderboard.page_parts.axis import PlotAxis, axis_of
from eval.leaderboard.page_parts.numbers import metric_decimals, written

LANES = (-4, 2, -2, 4, 0)
"""Offsets of successive points from the middle, so that neighbours do not hide each other."""


@dataclass(frozen=True)
class BoxSummary:
    """Five numbers of a sample."""

    low: float
    lower: float
    median: float
    upper: float
    high: float


@dataclass(frozen=True)
class Strip:
    """One submission in a plot."""

    values: CaseValues
    number: int
    """Of the values in the board."""
    box: BoxSummary
    label: str
    """The box in words."""

    @property
    def points(self) -> list[tuple[int, float]]:
        """Index and value of every case that has one."""
        return [(index, n) for index, n in enumerate(self.values.cases) if n is not None]


@dataclass(frozen=True)
class BoxPlot:
    """One metric of all submissions."""

    column: MetricColumn
    axis: PlotAxis
    digits: int
    """After the point."""
    strips: tuple[Strip, ...]


def box_of(numbers: Sequence[float]) -> BoxSummary:
    """Quartiles by linear interpolation, and the outermost numbers within 1.5 box lengths.

    Example:
        >>> box_of([1.0, 2.0, 3.0, 4.0, 100.0])
        BoxSummary(low=1.0, lower=2.0, median=3.0, upper=4.0, high=4.0)
    """
    lower, median, upper = (float(q) for q in np.quantile(numbers, (0.25, 0.5, 0.75)))
    reach = 1.5 * (upper - lower)
    inside = [n for n in numbers if lower - reach <= n <= upper + reach]
    return BoxSummary(min(inside), lower, median, upper, max(inside))


def box_plots(board: Board) -> list[BoxPlot]:
    """A plot of each metric that any case has a number of."""
    digits = metric_decimals(board)
    plots = []
    for column in board.columns:
        several = [
            (number, values)
            for number, values in enumerate(board.values)
            if values.metric == column.name and _numbers(values)
        ]
        if several:
            axis = axis_of([n for _, values in several for n in _numbers(values)])
            strips = tuple(_strip(*each, digits[column.name]) for each in several)
            plots.append(BoxPlot(column, axis, digits[column.name], strips))
    return plots


def _numbers(values: CaseValues) -> list[float]:
    return [n for n in values.cases if n is not None]


def _strip(number: int, values: CaseValues, digits: int) -> Strip:
    numbers = _numbers(values)
    box = box_of(numbers)
    label = (
        f"{len(numbers)} cases, median {written(box.median, digits)}, quartiles "
        f"{written(box.lower, digits)} and {written(box.upper, digits)}, from "
        f"{written(min(numbers), digits)} to {written(max(numbers), digits)}"
    )
    return Strip(values, number, box, label)
