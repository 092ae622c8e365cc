"""The place of a number on a horizontal axis, in percent of its width.

Linear, unless a metric spans decades: then logarithmic above a threshold and linear below it, so
that zero has a place too,

    f(x) = asinh(x / threshold),    threshold = the decade below the 25 % quantile of what is > 0
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SPANS_DECADES = 30.0
"""Largest number over the median beyond which a linear axis would show all but a few as zero."""
_POWERS = 3
"""Labels of powers of ten that fit on a phone."""
_EDGE = 2.0
"""Percent that stay free at either end, for the points' radius."""


@dataclass(frozen=True)
class PlotAxis:
    """An axis from `low` to `high`."""

    low: float
    high: float
    threshold: float | None = None
    """Below it the axis is linear; None where all of it is."""

    def at(self, value: float) -> float:
        """Percent of the width, from the left."""
        low, high = self._f(self.low), self._f(self.high)
        return _EDGE + (100 - 2 * _EDGE) * (self._f(value) - low) / (high - low)

    def ticks(self) -> tuple[float, ...]:
        """Round numbers within the axis, few enough for a narrow screen.

        Above a threshold: zero and powers of ten, the threshold itself only if there is no other.
        """
        if self.threshold is None:
            return _round_numbers(self.low, self.high)
        first, last = round(math.log10(self.threshold)), math.floor(math.log10(self.high))
        powers = range(first + 1, last + 1) or range(first, first + 1)
        return (0.0, *(10.0**n for n in powers[:: math.ceil(len(powers) / _POWERS)]))

    def _f(self, value: float) -> float:
        return value if self.threshold is None else math.asinh(value / self.threshold)


def axis_of(numbers: Sequence[float]) -> PlotAxis:
    """An axis that all numbers fit on; at least one is needed."""
    low, high = min(numbers), max(numbers)
    positive = [n for n in numbers if n > 0]
    if low >= 0 and high > _SPANS_DECADES * float(np.median(numbers)) and positive:
        typical = float(np.quantile(positive, 0.25))
        return PlotAxis(0.0, high, 10.0 ** math.floor(math.log10(typical)))
    if low == high:
        room = abs(low) / 10 or 1.0
        return PlotAxis(low - room, high + room)
    return PlotAxis(low, high)


def _round_numbers(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(n * step for n in range(first, last + 1))
