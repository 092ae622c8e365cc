"""The Jacobian determinant of a transform on a grid: the volume that a piece of it takes on."""

import numpy as np
from jaxtyping import Float, Float32

from l2r.transforms.base import SpatialTransform
from l2r.transforms.compose import as_displacement
from l2r.transforms.grids import Grid
from l2r.transforms.slabs import over_slabs


def jacobian(transform: SpatialTransform, grid: Grid) -> Float32[np.ndarray, "x y z"]:
    """`det(dT/dx)`: 1 where volumes are kept, 0 or less where the transform folds.

    The determinant is the same in voxels and in millimetres. Central differences, one-sided at the
    border; an axis of one voxel counts as kept.
    """
    vectors = as_displacement(transform, grid).vectors
    found = np.empty(grid.shape, np.float32, order="F")

    def work(planes: slice) -> None:
        found[..., planes] = _determinants(vectors, planes)

    over_slabs(grid.shape, work)
    return found


def _determinants(
    vectors: Float32[np.ndarray, "x y z 3"], planes: slice
) -> Float[np.ndarray, "x y planes"]:
    low, high = max(planes.start - 1, 0), min(planes.stop + 1, vectors.shape[2])
    block = vectors[:, :, low:high].astype(np.float64)
    rows = [_derivative(block, axis) for axis in range(3)]
    for axis, row in enumerate(rows):
        row[..., axis] += 1
    a, b, c = (np.moveaxis(row, -1, 0) for row in rows)
    determinants = (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - b[0] * (a[1] * c[2] - a[2] * c[1])
        + c[0] * (a[1] * b[2] - a[2] * b[1])
    )
    return determinants[:, :, planes.start - low : planes.stop - low]


def _derivative(block: Float[np.ndarray, "_ _ _ 3"], axis: int) -> Float[np.ndarray, "_ _ _ 3"]:
    if block.shape[axis] == 1:
        return np.zeros_like(block)
    return np.gradient(block, axis=axis)
