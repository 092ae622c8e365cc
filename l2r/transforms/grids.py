"""Grids of voxels in physical space, and places on them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from l2r.arrays import Shape
from l2r.formats.affine import Affine

PointsMm = Float[np.ndarray, "points 3"]
"""Places in millimetres, RAS unless a name says LPS."""
VoxelCoordinates = Float[np.ndarray, "3 *points"]
"""Voxel indices, whole or not, component `c` along array axis `c`."""

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""RAS millimetres to LPS, the axes of ITK, DICOM and ANTs, and the same in reverse."""
_ALIKE_VOX = 1e-3
"""Distance of corresponding voxels up to which two grids are one; headers are single precision."""
_HALF = 0.5
"""A voxel is an area: it ends this far from its centre."""


@dataclass(frozen=True)
class Grid:
    """The voxels of an image, without their values."""

    shape: Shape
    affine: Affine
    """Voxel indices to RAS millimetres."""

    @cached_property
    def to_voxels(self) -> Affine:
        """RAS millimetres to voxel indices."""
        return np.linalg.inv(self.affine)

    def is_like(self, other: "Grid") -> bool:
        """Tell if two grids have the same voxels at the same places."""
        return self.shape == other.shape and self.has_axes_of(other.affine)

    def has_axes_of(self, affine: Affine) -> bool:
        """Tell if another affine puts every voxel of this grid where its own affine does."""
        far = self.corners() + 0.0
        moved = placed(self.to_voxels @ affine, far)
        return bool(np.abs(moved - far).max() < _ALIKE_VOX)

    def corners(self) -> Float[np.ndarray, "3 8"]:
        """Voxel indices of the centres of the eight outermost voxels."""
        ends = [(0.0, size - 1.0) for size in self.shape]
        return np.stack([axis.ravel() for axis in np.meshgrid(*ends, indexing="ij")])

    def holds(self, coordinates: VoxelCoordinates) -> np.ndarray:
        """Tell which voxel indices lie within the grid, up to the far side of its last voxels."""
        inside = np.ones(coordinates.shape[1:], bool)
        for along, size in zip(coordinates, self.shape, strict=True):
            inside &= (along >= -_HALF) & (along < size - _HALF)
        return inside


@dataclass(frozen=True)
class Places:
    """Places in the coordinates of some grid: millimetres are `affine @ coordinates`.

    Affine transforms change `affine` alone, so a chain of them costs nothing per place.
    """

    coordinates: VoxelCoordinates
    affine: Affine
    slab: tuple[Grid, slice] | None = None
    """Given where the places are the voxels of these planes (the last axis) of the grid."""

    def on(self, grid: Grid) -> "Places":
        """The same places in voxel indices of a grid."""
        if self.slab and self.slab[0].shape == grid.shape and grid.has_axes_of(self.affine):
            return replace(self, affine=grid.affine)
        step = grid.to_voxels @ self.affine
        if np.allclose(step, np.eye(4), rtol=0, atol=1e-9):
            return Places(self.coordinates, grid.affine)
        return Places(placed(step, self.coordinates), grid.affine)

    def points_mm(self) -> PointsMm:
        """Their RAS millimetres, in rows."""
        return placed(self.affine, self.coordinates).reshape(3, -1).T


def clipped(coordinates: VoxelCoordinates, shape: Shape) -> VoxelCoordinates:
    """The nearest places between the centres of the outermost voxels of a volume."""
    last = np.array(shape, coordinates.dtype) - 1
    return np.clip(coordinates, 0, last.reshape(3, *(1,) * (coordinates.ndim - 1)))


def placed(affine: Affine, coordinates: VoxelCoordinates) -> VoxelCoordinates:
    """Map coordinates by an affine."""
    moved = np.empty(coordinates.shape, np.float64)
    for axis, (*row, shift) in enumerate(affine[:3]):
        moved[axis] = row[0] * coordinates[0] + row[1] * coordinates[1] + row[2] * coordinates[2]
        moved[axis] += shift
    return moved


def slab_of(grid: Grid, planes: slice) -> Places:
    """The voxels of some planes of a grid, in the order (z, y, x): NIfTI has x fastest."""
    x, y, _ = grid.shape
    coordinates = np.empty((3, planes.stop - planes.start, y, x))
    coordinates[0] = np.arange(x)
    coordinates[1] = np.arange(y)[:, None]
    coordinates[2] = np.arange(planes.start, planes.stop)[:, None, None]
    return Places(coordinates, grid.affine, (grid, planes))


def places_of(points_mm: PointsMm) -> Places:
    """Single points, in RAS millimetres."""
    return Places(np.ascontiguousarray(points_mm.T, np.float64), np.eye(4))
