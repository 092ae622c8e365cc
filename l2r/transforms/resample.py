"""Images, label maps and series on another grid, by a chain of transforms, interpolated once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Shaped

from l2r.arrays import triple
from l2r.errors import ImageError
from l2r.formats.affine import Affine
from l2r.transforms.base import SpatialTransform
from l2r.transforms.generic_label import generic_label
from l2r.transforms.grids import Grid, VoxelCoordinates, slab_of
from l2r.transforms.interpolation import Sampler, Volume3D, cubic, linear, nearest
from l2r.transforms.slabs import over_slabs
from l2r.transforms.words import Interpolation

VolumeOrSeries: TypeAlias = Shaped[np.ndarray, "_ _ _ ..."]
Series: TypeAlias = Shaped[np.ndarray, "_ _ _ times"]

_VOLUMES = 8
"""Volumes of a series that share the computation of places; cubic splines need a copy of each."""

INTERPOLATIONS: dict[Interpolation, Callable[[Volume3D], Sampler]] = {
    "linear": linear,
    "cubic": cubic,
    "nearest": nearest,
    "generic-label": generic_label,
}
"""Every interpolation by name: this table is the registry."""


@dataclass(frozen=True)
class Resampling:
    """A way to bring images onto a grid."""

    grid: Grid
    """Of the result."""
    transform: SpatialTransform
    """From the places of that grid to those of the images."""
    interpolation: Interpolation = "linear"
    outside: float = 0.0
    """Value of voxels that come from beyond the image."""

    def __call__(self, array: VolumeOrSeries, affine: Affine) -> VolumeOrSeries:
        """Bring an image onto the grid, in its own type; whole numbers are rounded.

        Args:
            array: a volume, or a series of volumes with the time last.
            affine: its voxel indices to RAS millimetres.

        Raises:
            ImageError: no voxel of the grid comes from within the image.
        """
        source = Grid(triple(array.shape[:3]), affine)
        series = array.reshape((*array.shape[:3], -1), order="F")
        result = np.empty((*self.grid.shape, series.shape[3]), array.dtype, order="F")
        result[...] = _of_type(np.array([self.outside]), array.dtype)
        for first in range(0, series.shape[3], _VOLUMES):
            times = slice(first, first + _VOLUMES)
            self._resample(series[..., times], source, result[..., times])
        return result.reshape((*self.grid.shape, *array.shape[3:]), order="F")

    def _resample(self, series: Series, source: Grid, result: Series) -> None:
        sampler = INTERPOLATIONS[self.interpolation]
        samplers = [sampler(volume) for volume in np.moveaxis(series, 3, 0)]
        met = []

        def work(planes: slice) -> None:
            places = self.transform.move(slab_of(self.grid, planes)).on(source).coordinates
            inside = source.holds(places)
            if inside.any():
                met.append(planes)
                _fill(result[:, :, planes], samplers, places, inside)

        over_slabs(self.grid.shape, work)
        if not met:
            raise ImageError(
                "the reference grid and the image do not overlap after the transforms; check "
                "their order, their inverse flags and the headers"
            )


def _fill(
    result: Series,
    samplers: Sequence[Sampler],
    places: VoxelCoordinates,
    inside: Bool[np.ndarray, "planes y x"],
) -> None:
    """Put the sampled values where the places are inside the image."""
    whole = bool(inside.all())
    wanted = places if whole else places[:, inside]
    for time, sample in enumerate(samplers):
        values = _of_type(sample(wanted), result.dtype)
        result[..., time].T[... if whole else inside] = values


def _of_type(
    values: Shaped[np.ndarray, "*points"], kind: np.dtype[np.generic]
) -> Shaped[np.ndarray, "*points"]:
    """Values in an image's own type: rounded and kept within its range, where it is of integers."""
    if values.dtype == kind:
        return values
    if np.issubdtype(kind, np.integer):
        ends = np.iinfo(kind.str)
        return np.rint(values).clip(ends.min, ends.max).astype(kind)
    return values.astype(kind)
