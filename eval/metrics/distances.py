"""Distances between two surfaces, as google-deepmind/surface-distance has them.

Distances run from element to element and are weighted by area, so that they do not depend on how a
surface happens to cut the grid. The package does not run with numpy 2 when a structure vanishes,
and takes many times as long; results are the same to the last bit.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64, Int

from eval.metrics.surface import VOXELS, Surface, SurfacePair, surface_pairs
from l2r.arrays import Spacing

BinaryMask = Bool[np.ndarray, "x y z"]
Measure = Callable[[SurfacePair], float]

_TOLERANCE = 1e-9
"""Share of the area within which sums in another order may give another quantile; rounding is far
below it."""


def robust_hausdorff(pair: SurfacePair, percent: float) -> float:
    """The larger of the two directed distances that `percent` of a surface's area stay within.

    Args:
        pair: of a structure.
        percent: between 0 and 100.

    Returns:
        In the unit of the spacing, lower is better; infinite if either has no elements.

    Source:
        Nikolov et al. (2021), doi:10.2196/26151; github.com/google-deepmind/surface-distance.
    """
    if not pair.complete:
        return float("inf")
    share = percent / 100
    return max(
        _quantile(pair.fixed, pair.from_fixed, share),
        _quantile(pair.warped, pair.from_warped, share),
    )


def mean_distance(pair: SurfacePair) -> float:
    """Mean of the two directed mean distances, each weighted by area.

    Returns:
        In the unit of the spacing, lower is better; infinite if either has no elements.

    Source:
        `compute_average_surface_distance` of the same package, which returns the two apart.
    """
    if not pair.complete:
        return float("inf")
    return (_mean(pair.fixed, pair.from_fixed) + _mean(pair.warped, pair.from_warped)) / 2


def between_masks(
    fixed: BinaryMask, warped: BinaryMask, measure: Measure, spacing: Spacing = VOXELS
) -> float:
    """Apply a measure to two masks on one grid.

    Example:
        >>> a = np.zeros((9, 3, 3), bool); a[1, 1, 1] = True
        >>> b = np.zeros((9, 3, 3), bool); b[6, 1, 1] = True
        >>> between_masks(a, b, mean_distance)
        4.75
    """
    return measure(*surface_pairs(fixed.astype(np.uint8), warped.astype(np.uint8), 1, spacing))


def _mean(surface: Surface, distances: Float64[np.ndarray, " elements"]) -> float:
    return float((distances * surface.areas).sum() / surface.areas.sum())


def _quantile(surface: Surface, distances: Float64[np.ndarray, " elements"], share: float) -> float:
    """The distance that a share of a surface's area stays within."""
    # Any order of equal distances gives the same, but where a share is met to the last bits.
    order = np.argsort(distances)
    near, far = _at_shares(surface, distances, order, (share - _TOLERANCE, share + _TOLERANCE))
    if near == far:
        return near
    # The package's own procedure: elements sorted by distance, then area.
    order = np.lexsort((surface.areas, distances))
    return _at_shares(surface, distances, order, (share,))[0]


def _at_shares(
    surface: Surface,
    distances: Float64[np.ndarray, " elements"],
    order: Int[np.ndarray, " elements"],
    shares: tuple[float, ...],
) -> list[float]:
    """The distances of the elements at which areas, summed up in an order, reach some shares."""
    areas = surface.areas[order]
    places = np.searchsorted(np.cumsum(areas) / areas.sum(), shares)
    found: list[float] = distances[order[places.clip(max=len(order) - 1)]].tolist()
    return found
