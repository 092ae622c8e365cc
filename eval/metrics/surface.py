"""Distances between the surfaces of two structures, as google-deepmind/surface-distance has them.

A surface lies between voxels. Each corner point where eight voxels meet gets a code, one bit per
voxel inside; codes 0 and 255 are outside and inside, all others are surface elements, and a table
knows the area of each of the 256 cases (marching cubes). Distances run from element to element and
are weighted by area, so that they do not depend on how a surface happens to cut the grid.

The table is the package's; the rest is written anew, because the package does not run with numpy 2
when a structure vanishes, and takes many times as long. Results are the same to the last bit.

What makes it fast: registered surfaces are close, so most elements find the other surface among
their nearest grid points, which are looked up shell by shell, the nearest shell first. A quantile
is known before the farthest elements are, and those that are asked for nevertheless go to a tree.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree
from surface_distance.lookup_tables import create_table_neighbour_code_to_surface_area

Mask = Bool[np.ndarray, "x y z"]
Spacing = tuple[float, float, float]

VOXELS: Spacing = (1.0, 1.0, 1.0)
_INSIDE = 0b11111111
_REACH = 5
"""Voxels along each axis within which the other surface is looked up directly."""
_MARGIN = 1e-9
"""Of a share of area: rounding of sums is far below, what is nearer to a quantile needs care."""


def robust_hausdorff(fixed: Mask, warped: Mask, percent: float, spacing: Spacing = VOXELS) -> float:
    """The larger of the two directed distances that `percent` of a surface's area stay within.

    Args:
        fixed: the structure on the fixed grid.
        warped: the moving structure on the fixed grid. Both masks may be cut to any box that holds
            both structures; the result does not depend on it.
        percent: between 0 and 100.
        spacing: sides of a voxel, in voxels or in mm.

    Returns:
        In the unit of the spacing, lower is better; infinite if either mask is empty.

    Example:
        >>> a = np.zeros((9, 3, 3), bool); a[1, 1, 1] = True
        >>> b = np.zeros((9, 3, 3), bool); b[6, 1, 1] = True
        >>> robust_hausdorff(a, b, 95.0)
        5.0

    Source:
        Nikolov et al. (2021), doi:10.2196/26151; github.com/google-deepmind/surface-distance.
    """
    if not (fixed.any() and warped.any()):
        return float("inf")
    here, there = _surface(fixed, spacing), _surface(warped, spacing)
    share = percent / 100
    return max(_quantile(here, there, share), _quantile(there, here, share))


def mean_distance(fixed: Mask, warped: Mask, spacing: Spacing = VOXELS) -> float:
    """Mean of the two directed mean distances, each weighted by area.

    Args:
        fixed: as for `robust_hausdorff`.
        warped: as for `robust_hausdorff`.
        spacing: sides of a voxel, in voxels or in mm.

    Returns:
        In the unit of the spacing, lower is better; infinite if either mask is empty.

    Source:
        `compute_average_surface_distance` of the same package, which returns the two apart.
    """
    if not (fixed.any() and warped.any()):
        return float("inf")
    here, there = _surface(fixed, spacing), _surface(warped, spacing)
    return (_mean(here, there) + _mean(there, here)) / 2


@dataclass(frozen=True)
class _Surface:
    there: Bool[np.ndarray, " points"]
    """Which corner points of the box belong to it, in memory order, `_REACH` more on each side."""
    places: Int[np.ndarray, " elements"]
    """Where these are in `there`."""
    areas: Float[np.ndarray, " elements"]
    shape: tuple[int, ...]
    """Of the box of corner points, with the margin."""
    spacing: Spacing

    @property
    def points(self) -> Int[np.ndarray, "elements 3"]:
        return np.stack(np.unravel_index(self.places, self.shape, order="F"), axis=-1)


def _surface(mask: Mask, spacing: Spacing) -> _Surface:
    codes = _corner_codes(mask)
    elements = (codes != 0) & (codes != _INSIDE)
    box = np.zeros([size + 2 * _REACH for size in codes.shape], bool, order="F")
    box[_REACH:-_REACH, _REACH:-_REACH, _REACH:-_REACH] = elements
    there = box.ravel(order="F")
    areas = _areas(spacing)[codes.ravel(order="F")[elements.ravel(order="F")]]
    return _Surface(there, np.flatnonzero(there), areas, box.shape, spacing)


def _corner_codes(mask: Mask) -> UInt8[np.ndarray, "x+1 y+1 z+1"]:
    """Eight bits per corner point, one for each of the voxels around it.

    The voxel before it, not after it, counts 16 times as much along x, 4 times along y, 2 along z.
    """
    codes = np.zeros([size + 1 for size in mask.shape], np.uint8, order="F")
    codes[:-1, :-1, :-1] = mask
    codes[:, :, 1:] |= codes[:, :, :-1] << 1
    codes[:, 1:] |= codes[:, :-1] << 2
    codes[1:] |= codes[:-1] << 4
    return codes


def _mean(start: _Surface, end: _Surface) -> float:
    distances = _distances(start, end, 1.0)
    return float((distances * start.areas).sum() / start.areas.sum())


def _quantile(start: _Surface, end: _Surface, share: float) -> float:
    """The distance to `end` that a share of the area of `start` stays within."""
    distances = _distances(start, end, share + _MARGIN)
    place, within = _place(distances, start.areas, share)
    if np.isinf(distances).any() and np.abs(within - share).min() < _MARGIN:
        # The package's sum runs in the order of all distances, and here its last bit decides.
        distances = _distances(start, end, 1.0)
        place, _ = _place(distances, start.areas, share)
    return float(np.sort(distances)[place])


def _place(
    distances: Float[np.ndarray, " elements"], areas: Float[np.ndarray, " elements"], share: float
) -> tuple[int, Float[np.ndarray, " elements"]]:
    """Position of the quantile among the sorted distances, and the share of area up to each."""
    areas = areas[np.lexsort((areas, distances))]
    within = np.cumsum(areas) / areas.sum()
    return min(int(np.searchsorted(within, share)), len(within) - 1), within


def _distances(start: _Surface, end: _Surface, share: float) -> Float[np.ndarray, " elements"]:
    """From each element of `start` to the nearest one of `end`.

    The farthest may be left infinite as soon as more than a share of the area has its distance.
    """
    found = np.full(start.places.size, np.inf)
    left = np.arange(start.places.size)
    enough = (1 - share) * start.areas.sum()
    x, y, _ = start.shape
    for distance, steps in _shells(start.spacing):
        reached = start.places[left, None] + steps @ (1, x, x * y)
        near = end.there[reached].any(axis=1)
        found[left[near]] = distance
        left = left[~near]
        if start.areas[left].sum() < enough or not left.size:
            return found
    found[left] = _far(start.points[left], end.points, start.spacing)
    return found


def _far(
    start: Int[np.ndarray, "elements 3"], end: Int[np.ndarray, "others 3"], spacing: Spacing
) -> Float[np.ndarray, " elements"]:
    _, nearest = cKDTree(end * spacing).query(start * spacing)
    return _lengths(start - end[nearest], spacing)


def _lengths(steps: Int[np.ndarray, "steps 3"], spacing: Spacing) -> Float[np.ndarray, " steps"]:
    return np.sqrt(((steps * spacing) ** 2).sum(axis=-1))


@cache
def _shells(spacing: Spacing) -> tuple[tuple[float, Int[np.ndarray, "steps 3"]], ...]:
    """Steps to the grid points around one, by distance, up to where they would leave the margin."""
    steps = np.indices(3 * [2 * _REACH + 1]).reshape(3, -1).T - _REACH
    lengths = _lengths(steps, spacing)
    within = lengths < (_REACH + 1) * min(spacing)
    return tuple((float(length), steps[lengths == length]) for length in np.unique(lengths[within]))


@cache
def _areas(spacing: Spacing) -> Float[np.ndarray, "256"]:
    return create_table_neighbour_code_to_surface_area(spacing)
