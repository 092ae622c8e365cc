"""Resampling of a moving label map or image onto the fixed grid: `warped(p) = moving(p + u(p))`.

Values are those of `scipy.ndimage.map_coordinates(moving, index + u, mode="constant", cval=0)`,
which is what every Learn2Reg scorer calls. Two of its rules are easy to miss: a coordinate that
ends in one half goes to the upper voxel, and anything outside the first and the last voxel's
centre is 0 at once, without half a voxel of grace.

The grid is worked through in slabs, so that memory does not grow with it. NIfTI files lie in memory
with x fastest, hence the slabs are planes of constant z, taken as the transpose of the array.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Integer, Shaped

from l2r.arrays import Shape, filled_box

_ROUNDING = 0.01
"""Voxels; single precision gets the end of a box less wrong than that."""

LabelArray = Integer[np.ndarray, "_ _ _"]
Displacements = Float[np.ndarray, "x y z 3"]


def warp_nearest(
    moving: Integer[np.ndarray, "_ _ _"], vectors: Displacements, *, planes: int = 2
) -> Integer[np.ndarray, "x y z"]:
    """Nearest neighbour, `map_coordinates(..., order=0)`, for label maps.

    Args:
        moving: labels on the moving grid; it may have another shape than the field.
        vectors: displacements in voxels on the fixed grid, finite.
        planes: of a slab; few, so that it fits into the processor's cache.

    Returns:
        Labels on the fixed grid, of the type of `moving`; 0 where the field leaves `moving`.

    Example:
        >>> row = np.arange(1, 5).reshape(4, 1, 1)
        >>> half = np.zeros((4, 1, 1, 3)); half[..., 0] = 0.5
        >>> warp_nearest(row, half).ravel()
        array([2, 3, 4, 0])
    """
    flat = np.append(moving.T.ravel(), moving.dtype.type(0))  # the last is what lies outside
    warped = np.empty(vectors.shape[2::-1], moving.dtype)
    nearest = _nearest_of_single if vectors.dtype == np.float32 else _nearest_of_double
    for slab in _slabs(vectors.shape[2], planes):
        index = np.zeros(warped[slab].shape, np.int64 if flat.size >= 2**31 else np.int32)
        inside = np.ones(warped[slab].shape, bool)
        for axis, size in enumerate(moving.T.shape):
            steps = vectors.T[2 - axis, slab]
            here = _index_along(axis, steps.shape, slab.start)
            place, within = nearest(steps, here, size)
            index *= size
            index += place.astype(index.dtype)
            inside &= within
        index[~inside] = flat.size - 1
        flat.take(index, out=warped[slab], mode="clip")
    return warped.T


def warp_linear(
    moving: Float[np.ndarray, "_ _ _"], vectors: Displacements, *, planes: int = 1
) -> Float32[np.ndarray, "x y z"]:
    """Linear interpolation, `map_coordinates(..., order=1)`, for intensities.

    Args:
        moving: intensities on the moving grid, finite; it may have another shape than the field.
        vectors: displacements in voxels on the fixed grid, finite.
        planes: of a slab; few, so that it fits into the processor's cache.

    Returns:
        Intensities on the fixed grid; 0 where the field leaves `moving`.

    Example:
        >>> row = np.arange(1.0, 5.0).reshape(4, 1, 1)
        >>> half = np.zeros((4, 1, 1, 3)); half[..., 0] = 0.5
        >>> warp_linear(row, half).ravel()
        array([1.5, 2.5, 3.5, 0. ], dtype=float32)
    """
    warped = np.zeros(vectors.shape[2::-1], np.float32)
    filled = moving.T != 0
    if not filled.any():
        return warped.T
    box = filled_box(filled, 1)  # beyond it there are only zeros to interpolate
    source = np.pad(moving.T[box.slices], ((0, 1),) * 3).astype(np.float64)
    for slab in _slabs(vectors.shape[2], planes):
        steps = vectors.T[::-1, slab]
        here = [_index_along(axis, steps.shape[1:], slab.start) for axis in range(3)]
        inside = np.ones(steps.shape[1:], bool)
        for step, at, start, size in zip(steps, here, box.start, box.shape, strict=True):
            low, high = start - at - _ROUNDING, start + size - 1 - at + _ROUNDING
            inside &= (step >= low.astype(step.dtype)) & (step <= high.astype(step.dtype))
        if inside.any():
            piece = filled_box(inside, 0).slices
            places = [
                step[piece] + np.broadcast_to(at, step.shape)[piece].astype(np.float64)
                for step, at in zip(steps, here, strict=True)
            ]
            warped[slab][piece] = _interpolated(source, box.start, places)
    return warped.T


def _interpolated(
    source: Float64[np.ndarray, "_ _ _"], start: Shape, places: list[Float64[np.ndarray, "_ _ _"]]
) -> Float64[np.ndarray, "_ _ _"]:
    """Interpolate in a box as scipy does, to the last bit: corner by corner, weight by weight.

    Args:
        source: the box, with one voxel more at the end of each axis.
        start: of the box.
        places: along each axis of the box; what lies outside becomes 0.
    """
    index, outside = np.zeros(places[0].shape), np.zeros(places[0].shape, bool)
    weights = []
    for place, first, size in zip(places, start, source.shape, strict=True):
        outside |= (place < first) | (place > first + size - 2)
        whole = np.floor(place)
        part = place - whole
        weights.append((1.0 - part, part))
        index *= size
        index += whole
        index -= first
    index[outside] = 0
    voxels, total = index.astype(np.intp), np.zeros(index.shape)
    corners = itertools.product((0, 1), repeat=3)
    for corner in corners:
        value = source.ravel()[np.ravel_multi_index(corner, source.shape) :].take(voxels)
        for weight, side in zip(weights, corner, strict=True):
            value *= weight[side]
        total += value
    total[outside] = 0
    return total


def _nearest_of_double(
    steps: Float[np.ndarray, "_ _ _"], here: Integer[np.ndarray, "..."], size: int
) -> tuple[Shaped[np.ndarray, "_ _ _"], Bool[np.ndarray, "_ _ _"]]:
    """Index that a step along an axis leads to, as scipy rounds it, and whether it is inside."""
    along: Float64[np.ndarray, "_ _ _"] = here + steps.astype(np.float64)
    inside = (along >= 0) & (along <= size - 1)
    # The outside is clipped, too: what is far away does not fit into an integer.
    return np.floor(np.clip(along, 0, size - 1) + 0.5), inside


def _nearest_of_single(
    steps: Float32[np.ndarray, "_ _ _"], here: Integer[np.ndarray, "..."], size: int
) -> tuple[Shaped[np.ndarray, "_ _ _"], Bool[np.ndarray, "_ _ _"]]:
    """The same at a third of the time: everything below is exact in single precision.

    `here + step` is rounded only when `step` is tiny, and that decides nothing but whether the last
    voxel is left: in double precision it is not by steps up to half the spacing of numbers there.
    """
    low, high = -here.astype(np.float32), (size - 1 - here).astype(np.float32)
    high[high == 0] = np.spacing(float(size - 1)) / 2
    kept = np.clip(steps, low, high)
    whole = np.rint(kept)
    whole += kept - whole == 0.5  # `rint` takes half of the ties down, to even numbers
    return whole - low, kept == steps


def _slabs(depth: int, planes: int) -> Iterator[slice]:
    for start in range(0, depth, planes):
        yield slice(start, min(start + planes, depth))


def _index_along(
    axis: int, shape: tuple[int, ...], first_plane: int
) -> Integer[np.ndarray, "_ _ _"]:
    """Indices of a slab's voxels along one axis of the transposed grid, ready to be broadcast."""
    start = first_plane if axis == 0 else 0
    turned = [-1 if other == axis else 1 for other in range(3)]
    return np.arange(start, start + shape[axis]).reshape(turned)
