"""Values of a volume between its voxels.

Each function takes a volume and returns its sampler, which gives the values at voxel indices up to
half a voxel beyond the centres of the outermost voxels: a voxel is an area, as for ITK.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Integer, Shaped
from scipy.ndimage import map_coordinates, spline_filter

from l2r.transforms.grids import VoxelCoordinates, clipped

Volume3D: TypeAlias = Shaped[np.ndarray, "_ _ _"]
Sampler: TypeAlias = Callable[[VoxelCoordinates], Shaped[np.ndarray, "*points"]]
SampledValues: TypeAlias = Float[np.ndarray, "_ ..."]

_EXACT = np.dtype(np.float32)
"""Spline coefficients are kept in this type, unless the volume has a wider one."""


def linear(volume: Volume3D) -> Sampler:
    """Trilinear interpolation, in single precision unless the volume has a wider type.

    Beyond the centres of the outermost voxels their values continue.
    """
    kind = np.result_type(volume.dtype, np.float32)
    sample = linear_components([volume])
    return lambda coordinates: sample(coordinates, np.empty((1, *coordinates.shape[1:]), kind))[0]


def linear_components(
    volumes: Sequence[Volume3D],
) -> Callable[[VoxelCoordinates, SampledValues], SampledValues]:
    """Trilinear interpolation of several volumes on one grid, whose weights are computed once.

    Faster than `scipy.ndimage.map_coordinates` by three times, if the places fit into the cache.
    """
    shape = volumes[0].T.shape  # (z, y, x), as NIfTI's arrays are in memory
    flat = [volume.T.reshape(-1) for volume in volumes]
    strides = (shape[1] * shape[2], shape[2], 1)
    # An axis of one voxel has no second one.
    z, y, x = (stride * (size > 1) for stride, size in zip(strides, shape, strict=True))

    def sample(coordinates: VoxelCoordinates, result: SampledValues) -> SampledValues:
        places = clipped(coordinates, volumes[0].shape)[::-1]
        first, shares = _corners(places, shape, result.dtype)
        for values, out in zip(flat, result, strict=True):
            corner = partial(_shifted, values, first, out.dtype)
            low, high = (
                _between(
                    _between(corner(here), corner(here + x), shares[2]),
                    _between(corner(here + y), corner(here + y + x), shares[2]),
                    shares[1],
                )
                for here in (0, z)
            )
            out[...] = _between(low, high, shares[0])
        return result

    return sample


def _corners(
    places: VoxelCoordinates, shape: tuple[int, ...], kind: np.dtype[np.generic]
) -> tuple[Integer[np.ndarray, "*points"], list[Float[np.ndarray, "*points"]]]:
    """Index of the first of the eight voxels around a place, and the distances from it."""
    index = np.zeros(places.shape[1:], np.intp)
    shares = []
    for along, size in zip(places, shape, strict=True):
        low = np.minimum(along.astype(np.int32), max(size - 2, 0))
        shares.append((along - low).astype(kind))
        index *= size
        index += low
    return index, shares


def _shifted(
    values: Shaped[np.ndarray, " n"],
    index: Integer[np.ndarray, "*points"],
    kind: np.dtype[np.generic],
    offset: int,
) -> Float[np.ndarray, "*points"]:
    """The values of the voxels that lie `offset` voxels further in memory."""
    return values[offset:].take(index, mode="clip").astype(kind, copy=False)


def _between(
    low: Float[np.ndarray, "*points"],
    high: Float[np.ndarray, "*points"],
    share: Float[np.ndarray, "*points"],
) -> Float[np.ndarray, "*points"]:
    """`low + share (high - low)`, in the memory of `high`."""
    high -= low
    high *= share
    high += low
    return high


def cubic(volume: Volume3D) -> Sampler:
    """Cubic B-splines through the voxels, mirrored at the border, as ITK's BSpline."""
    kind = _EXACT if volume.dtype.itemsize <= _EXACT.itemsize else np.dtype(np.float64)
    coefficients: Float[np.ndarray, "z y x"] = spline_filter(
        volume.T, order=3, output=kind, mode="mirror"
    )

    def sample(coordinates: VoxelCoordinates) -> Float[np.ndarray, "*points"]:
        return map_coordinates(
            coefficients, coordinates[::-1], np.float64, order=3, mode="mirror", prefilter=False
        )

    return sample


def nearest(volume: Volume3D) -> Sampler:
    """The nearest voxel; a place half-way belongs to the upper one."""

    def sample(coordinates: VoxelCoordinates) -> Shaped[np.ndarray, "*points"]:
        x, y, z = np.floor(coordinates + 0.5).astype(np.intp)
        return volume.T[z, y, x]

    return sample
