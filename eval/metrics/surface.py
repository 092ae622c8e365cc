"""Surfaces of structures, as google-deepmind/surface-distance has them.

A surface lies between voxels. Each corner point where eight voxels meet gets a code, one bit per
voxel inside; codes 0 and 255 are outside and inside, all others are surface elements, and a table
knows the area of each of the 256 cases (marching cubes).

The surfaces of all structures of a map are found in one pass: only corner points whose voxels are
not all alike can belong to any, and each belongs to one surface per structure around it.
"""

import itertools
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped, UInt8
from surface_distance.lookup_tables import create_table_neighbour_code_to_surface_area

from eval.metrics.nearest import MARGIN, Gaps, nearest_distances, new_gaps
from eval.structures import IndexMap, Structures
from l2r.arrays import Spacing, filled_box

VOXELS: Spacing = (1.0, 1.0, 1.0)
_AROUND = [*itertools.product((0, 1), repeat=3)]
"""Steps from a corner point's first voxel, before it along all axes, to each of the eight."""


@dataclass(frozen=True)
class Surface:
    """The surface of one structure."""

    places: Int[np.ndarray, " elements"]
    """Indices of the elements' corner points, counted along the grid with x fastest."""
    areas: Float[np.ndarray, " elements"]
    grid: tuple[int, int, int]
    """Shape of the grid of corner points, with `MARGIN` more on each side."""
    spacing: Spacing
    """Sides of a voxel, in voxels or in mm."""


@dataclass(frozen=True)
class SurfacePair:
    """The surfaces of one structure, of the fixed and of the warped map."""

    fixed: Surface
    warped: Surface
    gaps: Gaps
    """Scratch of their grid, which all structures share."""

    @property
    def complete(self) -> bool:
        """True if both have elements."""
        return bool(self.fixed.places.size and self.warped.places.size)

    @cached_property
    def from_fixed(self) -> Float64[np.ndarray, " elements"]:
        """Distances from each element of the fixed surface to the warped one, if both have any."""
        return self._distances(self.fixed, self.warped)

    @cached_property
    def from_warped(self) -> Float64[np.ndarray, " elements"]:
        """Distances from each element of the warped surface to the fixed one, if both have any."""
        return self._distances(self.warped, self.fixed)

    def _distances(self, start: Surface, end: Surface) -> Float64[np.ndarray, " elements"]:
        return nearest_distances(start.places, end.places, start.grid, start.spacing, self.gaps)


def both_surfaces(structures: Structures, spacing: Spacing = VOXELS) -> list[SurfacePair]:
    """The surfaces of a pair's structures; sides of a voxel are in voxels or in mm."""
    return surface_pairs(structures.fixed, structures.warped, len(structures.labels), spacing)


def surface_pairs(
    fixed: IndexMap, warped: IndexMap, count: int, spacing: Spacing
) -> list[SurfacePair]:
    """The two surfaces of each structure, on the smallest grid that holds all of them.

    Args:
        fixed: as for `surfaces`.
        warped: likewise.
        count: as for `surfaces`.
        spacing: as for `surfaces`.
    """
    filled = (fixed != 0) | (warped != 0)
    if filled.any():
        box = filled_box(filled, 1).slices  # with a margin, or a thin box would look like a slice
        fixed, warped = fixed[box], warped[box]
    one, other = surfaces(fixed, count, spacing), surfaces(warped, count, spacing)
    gaps = new_gaps(one[0].grid) if one else np.zeros(0, np.uint8)
    return [SurfacePair(*pair, gaps) for pair in zip(one, other, strict=True)]


def surfaces(
    indexed: IndexMap, count: int, spacing: Spacing = VOXELS, *, at_once: int = 2**15
) -> list[Surface]:
    """The surface of each structure, without elements where it has no voxel.

    Args:
        indexed: structures, counted from 1; 0 is none of them, as is everything beyond the map. Of
            one slice, the outlines in its plane are found.
        count: how many there are.
        spacing: sides of a voxel, in voxels or in mm.
        at_once: corner points whose codes are made together; few, so that they fit into the
            processor's cache.

    Source:
        Nikolov et al. (2021), doi:10.2196/26151; github.com/google-deepmind/surface-distance.
    """
    x, y, z = (size + 1 + 2 * MARGIN for size in indexed.shape)
    voxels = np.zeros((x, y, z), indexed.dtype, order="F")
    # One slice goes on in front of itself: an outline is a surface that stands upright on it.
    voxels[tuple(slice(MARGIN + (n > 1), MARGIN + 1 + n) for n in indexed.shape)] = indexed
    mixed = _mixed(voxels)
    for axis, size in enumerate(indexed.shape):
        if size == 1:  # nor has it a front or a rear
            np.moveaxis(mixed, axis, 0)[[MARGIN - 1, MARGIN + 1]] = False
    corners = np.flatnonzero(mixed.ravel(order="F"))
    pieces = [
        _elements(voxels, corners[start : start + at_once])
        for start in range(0, max(1, corners.size), at_once)
    ]
    owners, places, codes = (np.concatenate(part) for part in zip(*pieces, strict=True))
    order = np.argsort(owners, kind="stable")
    ends = np.cumsum(np.bincount(owners, minlength=count + 1))
    areas = _areas(spacing)
    return [
        Surface(places[mine], areas[codes[mine]], (x, y, z), spacing)
        for mine in np.split(order, ends)[1:-1]
    ]


def _mixed(voxels: Shaped[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    """Corner points with unlike voxels around them, at the index of the first of these."""
    mixed = np.zeros(voxels.shape, bool, order="F")
    mixed[:-1] = voxels[1:] != voxels[:-1]
    mixed[:, :-1] |= mixed[:, 1:] | (voxels[:, 1:] != voxels[:, :-1])
    mixed[:, :, :-1] |= mixed[:, :, 1:] | (voxels[:, :, 1:] != voxels[:, :, :-1])
    return mixed


def _elements(
    voxels: Shaped[np.ndarray, "x y z"], corners: Int[np.ndarray, " corners"]
) -> tuple[
    Shaped[np.ndarray, " elements"], Int[np.ndarray, " elements"], UInt8[np.ndarray, " elements"]
]:
    """The structure, the place and the code of every surface element at some corner points."""
    x, y, _ = voxels.shape
    flat = voxels.ravel(order="F")
    around = [flat.take(corners + (i + x * (j + y * k))) for i, j, k in _AROUND]
    # Each two of the eight are compared once; a voxel is alike to itself.
    alike = {
        pair: around[pair[0]] == around[pair[1]] for pair in itertools.combinations(range(8), 2)
    }
    found = []
    for number, owner in enumerate(around):
        code, first = np.zeros(owner.shape, np.uint8), owner != 0
        for other in range(8):
            code += code  # makes room for a bit; a shift takes several times as long
            if other == number:
                code += 1
                continue
            same = alike[min(number, other), max(number, other)]
            code |= same.view(np.uint8)
            if other < number:  # an earlier voxel of the same structure has made this element
                first &= ~same
        found.append((owner[first], corners[first], code[first]))
    owners, where, codes = (np.concatenate(part) for part in zip(*found, strict=True))
    return owners, where, codes


@cache
def _areas(spacing: Spacing) -> Float[np.ndarray, "256"]:
    return create_table_neighbour_code_to_surface_area(spacing)
