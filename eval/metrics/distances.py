"""Distances between two surfaces, as google-deepmind/surface-distance has them.

Distances run from element to element and are weighted by area, so that they do not depend on how a
surface happens to cut the grid. The package does not run with numpy 2 when a structure vanishes,
and takes many times as long; results are the same to the last bit.

Registered surfaces are close, so most elements find the other surface among their nearest grid
points, which are looked up shell by shell, the nearest shell first. A quantile is known before the
farthest elements are, and those that are asked for nevertheless go to a tree.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from eval.metrics.surface import MARGIN, VOXELS, Spacing, Surface, surfaces

Mask = Bool[np.ndarray, "x y z"]
Scratch = Bool[np.ndarray, " points"]
"""One for each point of a surface's grid, all false before and after."""
Measure = Callable[[Surface, Surface, Scratch], float]

_SURE = 1e-9
"""Of a share of area: rounding of sums is far below, what is nearer to a quantile needs care."""
_PIECE = 2**15
"""Grid points that are looked up at a time, so that their indices stay in the cache."""


def scratch(surface: Surface) -> Scratch:
    """Made once for the many surfaces of a map."""
    return np.zeros(int(np.prod(surface.grid)), bool)


def robust_hausdorff(here: Surface, there: Surface, room: Scratch, percent: float) -> float:
    """The larger of the two directed distances that `percent` of a surface's area stay within.

    Args:
        here: surface of the structure on the fixed grid.
        there: surface of the moving structure on the fixed grid.
        room: to work in.
        percent: between 0 and 100.

    Returns:
        In the unit of the spacing, lower is better; infinite if either has no elements.

    Source:
        Nikolov et al. (2021), doi:10.2196/26151; github.com/google-deepmind/surface-distance.
    """
    if not (here.places.size and there.places.size):
        return float("inf")
    share = percent / 100
    return max(_quantile(here, there, room, share), _quantile(there, here, room, share))


def mean_distance(here: Surface, there: Surface, room: Scratch) -> float:
    """Mean of the two directed mean distances, each weighted by area.

    Args:
        here: as for `robust_hausdorff`.
        there: as for `robust_hausdorff`.
        room: to work in.

    Returns:
        In the unit of the spacing, lower is better; infinite if either has no elements.

    Source:
        `compute_average_surface_distance` of the same package, which returns the two apart.
    """
    if not (here.places.size and there.places.size):
        return float("inf")
    return (_mean(here, there, room) + _mean(there, here, room)) / 2


def between_masks(fixed: Mask, warped: Mask, measure: Measure, spacing: Spacing = VOXELS) -> float:
    """A measure of two masks on one grid.

    Example:
        >>> a = np.zeros((9, 3, 3), bool); a[1, 1, 1] = True
        >>> b = np.zeros((9, 3, 3), bool); b[6, 1, 1] = True
        >>> between_masks(a, b, mean_distance)
        4.75
    """
    here, there = (surfaces(mask.astype(np.uint8), 1, spacing)[0] for mask in (fixed, warped))
    return measure(here, there, scratch(here))


def _mean(start: Surface, end: Surface, room: Scratch) -> float:
    distances = _all(start, end, room)
    return float((distances * start.areas).sum() / start.areas.sum())


def _quantile(start: Surface, end: Surface, room: Scratch, share: float) -> float:
    """The distance to `end` that a share of the area of `start` stays within."""
    total, reached = start.areas.sum(), 0.0
    with _marked(end, room):
        for distance, near in _found(start, room):
            reached += start.areas[near].sum()
            if reached > (share + _SURE) * total:
                return distance
            if reached > (share - _SURE) * total:
                break  # the last bit of a sum in the package's order decides
    distances = _all(start, end, room)
    order = np.lexsort((start.areas, distances))
    areas = start.areas[order]
    place = int(np.searchsorted(np.cumsum(areas) / areas.sum(), share))
    return float(distances[order][min(place, len(order) - 1)])


def _all(start: Surface, end: Surface, room: Scratch) -> Float[np.ndarray, " elements"]:
    """From each element of `start` to the nearest one of `end`."""
    distances = np.full(start.places.size, np.inf)
    with _marked(end, room):
        for distance, near in _found(start, room):
            distances[near] = distance
    far = np.isinf(distances)
    if far.any():
        points, others = start.points[far], end.points
        _, nearest = cKDTree(others * end.spacing).query(points * start.spacing)
        distances[far] = _lengths(points - others[nearest], start.spacing)
    return distances


@contextmanager
def _marked(surface: Surface, room: Scratch) -> Iterator[None]:
    room[surface.places] = True
    try:
        yield
    finally:
        room[surface.places] = False


def _found(start: Surface, room: Scratch) -> Iterator[tuple[float, Int[np.ndarray, " near"]]]:
    """The elements of `start` that are nearest to what is marked, by distance, as far as shells go.

    Yields:
        A distance and the numbers of the elements that have it, the nearest first.
    """
    x, y, _ = start.grid
    left = np.arange(start.places.size)
    for distance, steps in _shells(start.spacing):
        near = _reaches(start.places[left], steps @ (1, x, x * y), room)
        if near.any():
            yield distance, left[near]
            left = left[~near]
        if not left.size:
            break


def _reaches(
    places: Int[np.ndarray, " left"], steps: Int[np.ndarray, " steps"], room: Scratch
) -> Bool[np.ndarray, " left"]:
    """Whether a step leads to a point that is true."""
    at_once = max(1, _PIECE // len(steps))
    near = np.empty(len(places), bool)
    for start in range(0, len(places), at_once):
        piece = slice(start, start + at_once)
        np.logical_or.reduce(room.take(places[piece] + steps[:, None]), out=near[piece])
    return near


def _lengths(steps: Int[np.ndarray, "steps 3"], spacing: Spacing) -> Float[np.ndarray, " steps"]:
    return np.sqrt(((steps * spacing) ** 2).sum(axis=-1))


@cache
def _shells(spacing: Spacing) -> tuple[tuple[float, Int[np.ndarray, "steps 3"]], ...]:
    """Steps to the grid points around one, by distance, up to where they would leave the margin."""
    steps = np.indices(3 * [2 * MARGIN + 1]).reshape(3, -1).T - MARGIN
    lengths = _lengths(steps, spacing)
    within = lengths < (MARGIN + 1) * min(spacing)
    return tuple((float(length), steps[lengths == length]) for length in np.unique(lengths[within]))
