"""The one displacement convention, and every other one that we meet.

A displacement field `u` lives on the fixed grid, in voxels of that grid, component `c` along array
axis `c`, shape `(x, y, z, 3)`: `warped(p) = moving(p + u(p))`. Whatever differs is converted where
it enters or leaves, here, in one function per dialect.
"""

import numpy as np
from jaxtyping import Float, Float32

from l2r.arrays import Shape, Vectors


def zero_field(shape: Shape) -> Vectors:
    """The field that moves nothing, on a fixed grid of this shape."""
    return np.zeros((*shape, 3), np.float32)


def from_channels_first(field: Float[np.ndarray, "3 x y z"]) -> Float[np.ndarray, "x y z 3"]:
    """Torch's axis order, still in voxels, component `c` along array axis `c`."""
    return np.moveaxis(field, 0, -1)


def to_channels_first(vectors: Float[np.ndarray, "x y z 3"]) -> Float[np.ndarray, "3 x y z"]:
    """The inverse of `from_channels_first`."""
    return np.moveaxis(vectors, -1, 0)


def from_normalised(field: Float[np.ndarray, "x y z 3"]) -> Float[np.ndarray, "x y z 3"]:
    """Offsets of `torch.nn.functional.grid_sample(align_corners=True)`.

    There the grid spans [-1, 1] from the first to the last voxel's centre, and the components
    stand in the order z, y, x.
    """
    return (field[..., ::-1] * (_last_index(field) / 2)).astype(field.dtype)


def to_normalised(vectors: Float[np.ndarray, "x y z 3"]) -> Float[np.ndarray, "x y z 3"]:
    """The inverse of `from_normalised`."""
    return (vectors / (_last_index(vectors) / 2))[..., ::-1].astype(vectors.dtype)


def twice_as_fine(
    field: Float32[np.ndarray, "x y z 3"],
) -> Float32[np.ndarray, "2*x 2*y 2*z 3"]:
    """A field on the grid of half size, brought onto the full grid; its values stay as they are.

    A voxel of the half grid covers 2 x 2 x 2 full ones, so the centre of half voxel `i` lies at
    `2 i + 0.5`. A field in voxels of the half grid has to be doubled besides.
    Linear between the centres of the half grid's voxels, constant beyond the outermost, as in
    `interpolate(scale_factor=2, mode="trilinear", align_corners=False)`.
    """
    for axis in range(3):
        field = _twice(field, axis)
    return field


def half_as_fine(
    field: Float[np.ndarray, "x y z 3"],
) -> Float[np.ndarray, "x//2 y//2 z//2 3"]:
    """Means over 2 x 2 x 2 voxels, the values stay as they are; sizes must be even."""
    x, y, z = (size // 2 for size in field.shape[:3])
    return field.reshape(x, 2, y, 2, z, 2, 3).mean(axis=(1, 3, 5), dtype=field.dtype)


def _twice(field: Float32[np.ndarray, "_ _ _ 3"], axis: int) -> Float32[np.ndarray, "_ _ _ 3"]:
    rows = np.moveaxis(field, axis, 0)
    before, after = rows[[0, *range(len(rows) - 1)]], rows[[*range(1, len(rows)), -1]]
    result = np.empty((2 * len(rows), *rows.shape[1:]), field.dtype)
    result[0::2] = 0.75 * rows + 0.25 * before
    result[1::2] = 0.75 * rows + 0.25 * after
    return np.moveaxis(result, 0, axis)


def _last_index(field: Float[np.ndarray, "x y z 3"]) -> Float[np.ndarray, " 3"]:
    return np.array(field.shape[:3], dtype=np.float64) - 1
