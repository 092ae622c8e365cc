"""Resampling of a moving label map onto the fixed grid as PSMAReg's scorer does it.

It normalises places by the last index and hands them to `grid_sample(align_corners=False)`, which
understands them by the number of voxels: index `i` of `N` becomes `i N / (N - 1) - 0.5`. So a field
of zeros does not leave the map as it is: it is half a voxel off at the borders and right in the
middle, and what is read beyond the last voxel becomes background. Everything is computed in single
precision and in the scorer's order, because nearest neighbour jumps where a place is rounded.

Source: `SpatialTransformer` of `scoring.py`, github.com/JHU-MedImage-Reg/Learn2Reg26_PSMA;
`grid_sampler` of PyTorch for the rounding, which is half to even.
"""

import numpy as np
from jaxtyping import Float, Float32, Integer

from eval.warp import Displacements, LabelArray
from l2r.arrays import Shape, triple

_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)


def warp_like_grid_sample(
    moving: LabelArray, vectors: Displacements
) -> Integer[np.ndarray, "x y z"]:
    """Nearest neighbour by the scorer's places, for label maps.

    Args:
        moving: labels on a grid of the fixed grid's shape, as all images of the challenge have.
        vectors: displacements in voxels on the fixed grid.

    Returns:
        Labels on the fixed grid, of the type of `moving`; 0 where a place is beyond `moving`.

    Example:
        >>> row = np.arange(1, 5).reshape(4, 1, 1)
        >>> warp_like_grid_sample(np.broadcast_to(row, (4, 4, 4)), np.zeros((4, 4, 4, 3)))[:, 1, 1]
        array([1, 2, 3, 0])
    """
    fixed = triple(vectors.shape[:3])
    warped = np.zeros(fixed, moving.dtype)
    for x in range(fixed[0]):  # plane by plane: memory does not grow with the grid
        inside = np.ones(fixed[1:], bool)
        index = []
        for axis, size in enumerate(moving.shape):
            place = _places(vectors[x, ..., axis], x, axis, fixed, size)
            inside &= (place >= 0) & (place < size)
            index.append(np.clip(place, 0, size - 1).astype(np.intp))
        warped[x] = np.where(inside, moving[tuple(index)], 0)
    return warped


def _places(
    steps: Float[np.ndarray, "y z"], plane: int, axis: int, fixed: Shape, size: int
) -> Float32[np.ndarray, "y z"]:
    """The nearest index along an axis, in one plane of constant x."""
    own = (plane, np.arange(fixed[1])[:, None], np.arange(fixed[2]))[axis]
    place = np.asarray(own, np.float32) + steps.astype(np.float32)
    normalised = _TWO * (place / np.float32(fixed[axis] - 1) - _HALF)
    return np.rint(((normalised + _ONE) * np.float32(size) - _ONE) / _TWO)
