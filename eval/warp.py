"""How a moving map or image is resampled onto the fixed grid: `warped(p) = moving(p + u(p))`.

Values are those of `scipy.ndimage.map_coordinates(moving, index + u, mode="constant", cval=0)`,
which is what every Learn2Reg scorer calls. Two of its rules are easy to miss: a coordinate that
ends in one half goes to the upper voxel, and anything outside the first and the last voxel's
centre is 0 at once, without half a voxel of grace.

The grid is worked through in slabs, so that memory does not grow with it. NIfTI files lie in memory
with x fastest, hence the slabs are planes of constant z, taken as the transpose of the array.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float32, Integer
from scipy.ndimage import map_coordinates

Vectors = Float[np.ndarray, "x y z 3"]

_PLANES = 8
"""Planes per slab: small enough for the processor's cache, large enough for few Python calls."""


def warp_nearest(
    moving: Integer[np.ndarray, "_ _ _"], vectors: Vectors
) -> Integer[np.ndarray, "x y z"]:
    """Nearest neighbour, `map_coordinates(..., order=0)`, for label maps.

    Args:
        moving: labels on the moving grid; it may have another shape than the field.
        vectors: displacements in voxels on the fixed grid, finite.

    Returns:
        Labels on the fixed grid, of the type of `moving`; 0 where the field leaves `moving`.

    Example:
        >>> row = np.arange(1, 5).reshape(4, 1, 1)
        >>> half = np.zeros((4, 1, 1, 3)); half[..., 0] = 0.5
        >>> warp_nearest(row, half).ravel()
        array([2, 3, 4, 0])
    """
    flat = np.ascontiguousarray(moving.T).ravel()
    warped = np.zeros(vectors.shape[2::-1], moving.dtype)
    for slab, places in _coordinates(vectors):
        index = np.zeros(places.shape[1:], np.intp)
        inside = np.ones(places.shape[1:], bool)
        for along, size in zip(places, moving.T.shape, strict=True):
            inside &= (along >= 0) & (along <= size - 1)
            # The outside is clipped, too: what is far away does not fit into an integer.
            nearest = np.floor(np.clip(along, 0, size - 1) + 0.5)
            index = index * size + nearest.astype(np.intp)
        warped[slab] = np.where(inside, flat[index], 0)
    return warped.T


def warp_linear(
    moving: Float[np.ndarray, "_ _ _"], vectors: Vectors
) -> Float32[np.ndarray, "x y z"]:
    """Linear interpolation, `map_coordinates(..., order=1)`, for intensities.

    Args:
        moving: intensities on the moving grid; it may have another shape than the field.
        vectors: displacements in voxels on the fixed grid, finite.

    Returns:
        Intensities on the fixed grid; 0 where the field leaves `moving`.

    Example:
        >>> row = np.arange(1.0, 5.0).reshape(4, 1, 1)
        >>> half = np.zeros((4, 1, 1, 3)); half[..., 0] = 0.5
        >>> warp_linear(row, half).ravel()
        array([1.5, 2.5, 3.5, 0. ], dtype=float32)
    """
    warped = np.empty(vectors.shape[2::-1], np.float32)
    for slab, places in _coordinates(vectors):
        map_coordinates(moving.T, places, output=warped[slab], order=1)
    return warped.T


def _coordinates(vectors: Vectors) -> Iterator[tuple[slice, Float[np.ndarray, "3 planes y x"]]]:
    depth, height, width = vectors.shape[2::-1]
    for start in range(0, depth, _PLANES):
        slab = slice(start, min(start + _PLANES, depth))
        places = np.array(vectors.T[::-1, slab], dtype=np.float64, order="C")
        places[0] += np.arange(slab.start, slab.stop)[:, None, None]
        places[1] += np.arange(height)[:, None]
        places[2] += np.arange(width)
        yield slab, places
