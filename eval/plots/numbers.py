"""Numbers as text: as many digits as they need."""

import math
from collections.abc import Iterable

NOTHING = "-"
"""Text of a number that is missing."""
_SIGNIFICANT = 5


def decimals(numbers: Iterable[float | None]) -> int:
    """Digits after the point: four below ten, one less for each further digit before the point."""
    largest = max((abs(n) for n in numbers if n is not None), default=0.0)
    before = 1 + math.floor(math.log10(largest)) if largest >= 1 else 1
    return max(0, _SIGNIFICANT - before)


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


def percent(number: float) -> str:
    """A place on an axis as SVG writes it."""
    return f"{number:.2f}%"
