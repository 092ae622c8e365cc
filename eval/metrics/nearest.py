"""Distances from the points of one surface to the nearest point of another, on a grid.

A distance is found row by row: the grid knows for every point how far along x the other surface is,
so one look gives the nearest point of a whole row. Rows come in the order of their own distance,
and a point is done as soon as the next row is farther than what it has. What is farther than the
grid knows is left to a tree.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, reduce

import numpy as np
from jaxtyping import Float, Float64, Int, UInt8
from scipy.spatial import cKDTree

from l2r.arrays import Shape, Spacing

MARGIN = 12
"""Grid points around the surfaces, and the longest step along an axis before a tree is asked."""
_NONE = MARGIN + 1
"""Stands for a row without a point within `MARGIN` steps."""
_PACES = (1, 2, 4, 5)
"""Add up to every number of steps up to `MARGIN`."""
_DENSE = 80
"""Grid points for each point of a surface, up to which a look at all of them takes less time."""

PointIndices = Int[np.ndarray, "_"]
"""Indices of points, counted along the grid with x fastest."""
Gaps = UInt8[np.ndarray, " grid"]
"""Steps along x to the nearest point; all `_NONE` before and after a measurement."""


def new_gaps(grid: Shape) -> Gaps:
    """Make the scratch for all surfaces on a grid."""
    return np.full(int(np.prod(grid)), _NONE, np.uint8)


def nearest_distances(
    start: PointIndices, end: PointIndices, grid: Shape, spacing: Spacing, gaps: Gaps
) -> Float64[np.ndarray, " points"]:
    """Distances from each point of `start` to the nearest one of `end`.

    Args:
        start: at least `MARGIN` points away from the border of the grid.
        end: likewise, and at least one.
        grid: shape.
        spacing: sides of a voxel.
        gaps: of the grid, see `new_gaps`.
    """
    squares = np.full(start.size, np.inf)
    with _known(end, gaps):
        _look_along_rows(start, squares, grid, spacing, gaps)
    far = squares >= _reach(spacing) ** 2  # something nearer may lie where no row was looked at
    if far.any():
        points, others = _points(start[far], grid), _points(end, grid)
        # Few are far, so a tree that is made fast beats one that is searched fast.
        tree = cKDTree(others * spacing, compact_nodes=False, balanced_tree=False)
        _, nearest = tree.query(points * spacing)
        squares[far] = (((points - others[nearest]) * spacing) ** 2).sum(axis=-1)
    return np.sqrt(squares)


def _look_along_rows(
    start: PointIndices,
    squares: Float64[np.ndarray, " points"],
    grid: Shape,
    spacing: Spacing,
    gaps: Gaps,
) -> None:
    """Find the squared distances within the margin."""
    x, y, _ = grid
    left, places, found = np.arange(start.size), start, squares
    for nearest, steps, table in _rings(spacing):
        more = found > nearest
        if not more.all():
            squares[left[~more]] = found[~more]
            left, places, found = left[more], places[more], found[more]
            if not left.size:
                break
        rows = (gaps.take(places + x * (along_y + y * along_z)) for along_y, along_z in steps)
        np.minimum(found, table.take(reduce(np.minimum, rows)), out=found)
    squares[left] = found


@contextmanager
def _known(end: PointIndices, gaps: Gaps) -> Iterator[None]:
    first = end.min() - MARGIN
    around = gaps[first : end.max() + MARGIN + 1]
    if around.size < _DENSE * end.size:
        _spread(end - first, around)
    else:
        for step in range(MARGIN, -1, -1):  # the nearest is written last
            gaps[end - step] = gaps[end + step] = step
    try:
        yield
    finally:
        around[:] = _NONE


def _spread(end: PointIndices, gaps: Gaps) -> None:
    """Write the gaps around many points: in all of the grid at once, a few steps at a time."""
    gaps[end] = 0
    for step in _PACES:
        np.minimum(gaps[step:], gaps[:-step] + np.uint8(step), out=gaps[step:])
    for step in _PACES:
        np.minimum(gaps[:-step], gaps[step:] + np.uint8(step), out=gaps[:-step])


def _points(places: PointIndices, grid: Shape) -> Int[np.ndarray, "points 3"]:
    return np.stack(np.unravel_index(places, grid, order="F"), axis=-1)


def _reach(spacing: Spacing) -> float:
    return (MARGIN + 1) * min(spacing)


_Ring = tuple[float, list[tuple[int, int]], Float[np.ndarray, " gaps"]]


@cache
def _rings(spacing: Spacing) -> list[_Ring]:
    """Rows around a point, grouped by their squared distance, the nearest first.

    Returns:
        Per group the squared distance, the steps along y and z to each row, and the squared
        distances of the rows' points by their gap along x.
    """
    steps = np.arange(-MARGIN, MARGIN + 1)
    gaps = (np.arange(MARGIN + 1) * spacing[0]) ** 2
    along_y, along_z = (steps * spacing[1]) ** 2, (steps * spacing[2]) ** 2
    rings: dict[bytes, _Ring] = {}
    for j, square_y in zip(steps, along_y, strict=True):
        for k, square_z in zip(steps, along_z, strict=True):
            table = np.append(gaps + square_y + square_z, np.inf)
            ring = rings.setdefault(table.tobytes(), (float(table[0]), [], table))
            ring[1].append((int(j), int(k)))
    near = (ring for ring in rings.values() if ring[0] < _reach(spacing) ** 2)
    return sorted(near, key=lambda ring: ring[0])
