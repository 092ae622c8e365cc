"""Every submission by every structure, as a table whose cells are coloured.

Colours run from the 2 % to the 98 % quantile of a metric, and always so that better is stronger.
A second colouring compares each cell with the median of its structure over the submissions: there
structures do not differ by being small or large, and what remains is who is good at which.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.leaderboard.board import Board, CaseValues, MetricColumn
from eval.plots.numbers import decimals

STEPS = 15
"""Of the sequential colours, from 0 to this."""
SIDE_STEPS = 7
"""Of the diverging colours, to either side."""
_HEADS = 70
"""Labels that fit above the map on a wide screen."""


@dataclass(frozen=True)
class ColourScale:
    """Maps the numbers of one metric to colours."""

    worst: float
    best: float
    reach: float
    """The difference from the median that has the strongest colour."""

    def step(self, value: float) -> int:
        """0 is the worst colour, `STEPS` the best."""
        part = (value - self.worst) / (self.best - self.worst) if self.best != self.worst else 1.0
        return round(STEPS * min(max(part, 0.0), 1.0))

    def side(self, difference: float) -> int:
        """Positive is better than the median, `SIDE_STEPS` at most."""
        if not self.reach:
            return 0
        better = math.copysign(difference, difference * (self.best - self.worst))
        return round(SIDE_STEPS * min(max(better / self.reach, -1.0), 1.0))

    def steps(self) -> range:
        """Every colour by value, the worst first."""
        return range(STEPS + 1)

    def sides(self) -> range:
        """Every colour by difference, the worst first."""
        return range(-SIDE_STEPS, SIDE_STEPS + 1)


@dataclass(frozen=True)
class HeatMap:
    """One metric of all submissions and structures."""

    column: MetricColumn
    scale: ColourScale
    digits: int
    """After the point."""
    medians: list[float | None]
    """Of each structure."""
    rows: list[tuple[int, CaseValues]]
    """With their numbers in the board."""

    @property
    def compared(self) -> bool:
        """True if there are several submissions."""
        return len(self.rows) > 1


def scale_of(column: MetricColumn, values: Sequence[CaseValues]) -> ColourScale:
    """The scale of all numbers; at least one is needed."""
    numbers = [n for v in values for n in v.labels if n is not None]
    low, high = (float(q) for q in np.quantile(numbers, (0.02, 0.98)))
    middle = medians(values)
    differences = [
        abs(n - m)
        for v in values
        for n, m in zip(v.labels, middle, strict=True)
        if n is not None and m is not None
    ]
    worst, best = (low, high) if column.better == "higher" else (high, low)
    return ColourScale(worst, best, float(np.quantile(differences, 0.98)))


def medians(values: Sequence[CaseValues]) -> list[float | None]:
    """Median of each structure over the submissions that have it."""
    columns = zip(*(v.labels for v in values), strict=True)
    return [_median([n for n in column if n is not None]) for column in columns]


def heat_maps(board: Board) -> list[HeatMap]:
    """A map of each metric that goes by structures."""
    maps = []
    for column in board.columns:
        rows = [
            (number, values)
            for number, values in enumerate(board.values)
            if values.metric == column.name and any(n is not None for n in values.labels)
        ]
        if rows:
            several = [values for _, values in rows]
            digits = decimals(n for values in several for n in values.labels)
            scale = scale_of(column, several)
            maps.append(HeatMap(column, scale, digits, medians(several), rows))
    return maps


def label_step(board: Board) -> int:
    """Show every so many labels: those fit above the map."""
    return math.ceil(len(board.labels) / _HEADS)


def _median(numbers: list[float]) -> float | None:
    return float(np.median(numbers)) if numbers else None
