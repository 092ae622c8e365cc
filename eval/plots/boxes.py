"""Box plots: every case of every submission, one plot per metric.

A box goes from the lower to the upper quartile with a line at the median; its whiskers end at the
outermost cases within 1.5 box lengths (Tukey, Exploratory Data Analysis, 1977). Places are in
percent of the width, so a plot is as wide as the screen lets it be without being drawn anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.plots.axis import PlotAxis, axis_of
from eval.plots.numbers import written

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
class CaseSample:
    """A metric of one submission, case by case."""

    name: str
    """Name of the submission."""
    number: int
    """By which a page's script finds the values."""
    values: Sequence[float | None]
    """In the order of the cases; None where a case lacks the metric."""

    @property
    def points(self) -> list[tuple[int, float]]:
        """Index and value of every case that has one."""
        return [(index, n) for index, n in enumerate(self.values) if n is not None]

    @property
    def numbers(self) -> list[float]:
        """The values that exist."""
        return [n for _, n in self.points]


@dataclass(frozen=True)
class Strip:
    """One submission in a plot."""

    sample: CaseSample
    box: BoxSummary
    label: str
    """The box in words."""


@dataclass(frozen=True)
class BoxPlot:
    """One metric of all submissions."""

    title: str
    hint: str
    """The unit and the better direction."""
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


def box_plot(title: str, hint: str, samples: Sequence[CaseSample], digits: int) -> BoxPlot | None:
    """A plot of the samples that have numbers; None if none has."""
    several = [sample for sample in samples if sample.numbers]
    if not several:
        return None
    axis = axis_of([n for sample in several for n in sample.numbers])
    return BoxPlot(title, hint, axis, digits, tuple(_strip(sample, digits) for sample in several))


def _strip(sample: CaseSample, digits: int) -> Strip:
    numbers = sample.numbers
    box = box_of(numbers)
    label = (
        f"{len(numbers)} cases, median {written(box.median, digits)}, quartiles "
        f"{written(box.lower, digits)} and {written(box.upper, digits)}, from "
        f"{written(min(numbers), digits)} to {written(max(numbers), digits)}"
    )
    return Strip(sample, box, label)
