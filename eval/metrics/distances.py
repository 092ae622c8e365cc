"""Distances between two surfaces, as google-deepmind/surface-distance has them.

Distances run from element to element and are weighted by area, so that they do not depend on how a
surface happens to cut the grid. The package does not run with numpy 2 when a structure vanishes,
and takes many times as long; results are the same to the last bit.

Registered surfaces are close, so most elements find the other surface among their nearest grid
points, which are looked up shell by shell, the nearest shell first. A quantile is known before the
farthest elements are; where those are needed nevertheless, a tree finds them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from eval.metrics.surface import MARGIN, VOXELS, Surface, surfaces
from l2r.arrays import Spacing

BinaryMask = Bool[np.ndarray, "x y z"]
Marks = Bool[np.ndarray, " points"]
"""One mark per point of a surface's grid, all false before and after a measurement."""
Measure = Callable[[Surface, Surface, Marks], float]

_TOLERANCE = 1e-9
"""Share of the area within which a quantile is settled by exact sums; rounding is far below it."""


def new_marks(surface: Surface) -> Marks:
    """Marks for all surfaces on the grid of one, made once for a map."""
    return np.zeros(int(np.prod(surface.grid)), bool)


def robust_hausdorff(one: Surface, other: Surface, marks: Marks, percent: float) -> float:
    """The larger of the two directed distances that `percent` of a surface's area stay within.

    Args:
        one: surface of the structure on the fixed grid.
        other: surface of the moving structure on the fixed grid.
        marks: of the grid of both, see `new_marks`.
        percent: between 0 and 100.

    Returns:
        In the unit of the spacing, lower is better; infinite if either has no elements.

    Source:
        Nikolov et al. (2021), doi:10.2196/26151; github.com/google-deepmind/surface-distance.
    """
    if not (one.places.size and other.places.size):
        return float("inf")
    share = percent / 100
    return max(_quantile(one, other, marks, share), _quantile(other, one, marks, share))


def mean_distance(one: Surface, other: Surface, marks: Marks) -> float:
    """Mean of the two directed mean distances, each weighted by area.

    Args:
        one: as for `robust_hausdorff`.
        other: as for `robust_hausdorff`.
        marks: of the grid of both, see `new_marks`.

    Returns:
        In the unit of the spacing, lower is better; infinite if either has no elements.

    Source:
        `compute_average_surface_distance` of the same package, which returns the two apart.
    """
    if not (one.places.size and other.places.size):
        return float("inf")
    return (_mean(one, other, marks) + _mean(other, one, marks)) / 2


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
    one, other = (surfaces(mask.astype(np.uint8), 1, spacing)[0] for mask in (fixed, warped))
    return measure(one, other, new_marks(one))


def _mean(start: Surface, end: Surface, marks: Marks) -> float:
    distances = _distances(start, end, marks)
    return float((distances * start.areas).sum() / start.areas.sum())


def _quantile(start: Surface, end: Surface, marks: Marks, share: float) -> float:
    """The distance to `end` that a share of the area of `start` stays within."""
    total, reached = start.areas.sum(), 0.0
    # The shells come in order of distance, so the quantile is known as soon as the area found so
    # far exceeds the share: the farthest elements need not be looked for.
    with _marked(end, marks):
        for distance, near in _found(start, marks):
            reached += start.areas[near].sum()
            if reached > (share + _TOLERANCE) * total:
                return distance
            if reached > (share - _TOLERANCE) * total:
                break  # too close to tell: the last bit of the sum below decides
    # The package's own procedure: elements sorted by distance, then area, and areas summed up in
    # that order.
    distances = _distances(start, end, marks)
    order = np.lexsort((start.areas, distances))
    areas = start.areas[order]
    place = int(np.searchsorted(np.cumsum(areas) / areas.sum(), share))
    return float(distances[order][min(place, len(order) - 1)])


def _distances(start: Surface, end: Surface, marks: Marks) -> Float[np.ndarray, " elements"]:
    """Distances from each element of `start` to the nearest one of `end`."""
    distances = np.full(start.places.size, np.inf)
    with _marked(end, marks):
        for distance, near in _found(start, marks):
            distances[near] = distance
    far = np.isinf(distances)  # beyond all shells
    if far.any():
        points, others = start.points[far], end.points
        # Few are far, so a tree that is made fast beats one that is searched fast.
        tree = cKDTree(others * end.spacing, compact_nodes=False, balanced_tree=False)
        _, nearest = tree.query(points * start.spacing)
        distances[far] = _lengths(points - others[nearest], start.spacing)
    return distances


@contextmanager
def _marked(surface: Surface, marks: Marks) -> Iterator[None]:
    marks[surface.places] = True
    try:
        yield
    finally:
        marks[surface.places] = False


def _found(start: Surface, marks: Marks) -> Iterator[tuple[float, Int[np.ndarray, " near"]]]:
    """Group the elements of `start` by their distance to the marked points, the nearest first.

    Yields:
        A distance and the numbers of the elements that have it, as far as the shells go.
    """
    x, y, _ = start.grid
    left = np.arange(start.places.size)
    for distance, steps in _shells(start.spacing):
        near = _reaches(start.places[left], steps @ (1, x, x * y), marks)
        if near.any():
            yield distance, left[near]
            left = left[~near]
        if not left.size:
            break


def _reaches(
    places: Int[np.ndarray, " left"],
    steps: Int[np.ndarray, " steps"],
    marks: Marks,
    points_at_once: int = 2**15,
) -> Bool[np.ndarray, " left"]:
    """Find the places from which one of the steps leads to a marked point."""
    at_once = max(1, points_at_once // len(steps))  # so that their indices stay in the cache
    near = np.empty(len(places), bool)
    for start in range(0, len(places), at_once):
        piece = slice(start, start + at_once)
        np.logical_or.reduce(marks.take(places[piece] + steps[:, None]), out=near[piece])
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
