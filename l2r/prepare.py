"""The one preparation of a pair: from files or arrays to two normalised volumes on a working grid.

    Pair --read--> Loaded --prepare--> Prepared

A run, a training, its validation and the loss landscape all prepare by `PreparePair`, so a network
is trained on what it sees in a run. A network that works on means over cubes of voxels (`shrink`)
gets `cube_means` of the prepared volumes; the volumes themselves keep every voxel, for refinements.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Shaped

from l2r.arrays import Labels, Volume, triple
from l2r.errors import ImageError
from l2r.formats.affine import Affine
from l2r.formats.volumes import Image, read_image, read_labels
from l2r.grid import GridRule, WorkingGrid, working_grid
from l2r.normalise import Normalised
from l2r.pair_oddities import header_oddities, refuse_opposed, sides_mm
from l2r.pairs import Pair, Scan
from l2r.task import Task

Voxels: TypeAlias = Shaped[np.ndarray, "_ _ _"]
"""Voxels of any type, as a file has them."""

_MOST = 8
"""Voxels that one may become, or that may become one, along an axis; more is a wrong header."""
_FRINGE = 1e-3
"""Share of an image's tissue that cropping may take off; no label map is as exact as that."""
_THICKENED = (
    "the image is one slice, but the network works in three dimensions and sees it between empty "
    "slices; a network with dimensions = 2 sees the slice alone"
)


@dataclass(frozen=True)
class Loaded:
    """A pair as it is stored."""

    pair: Pair
    images: tuple[Image, Image]
    """Fixed and moving."""
    labels: tuple[Voxels, Voxels] | None = None


@dataclass(frozen=True)
class Alignment:
    """An affine map that was found before the network, and by which the moving image was brought.

    The network sees the moving image on the fixed grid through this map.
    """

    matrix: Affine
    """RAS millimetres of the fixed image to those of the moving one."""
    voxels: Affine
    """The same map in voxel indices of the two images."""
    quality: float
    """Information that the images share through it, as a correlation."""
    quality_before: float
    """The same without it."""


@dataclass(frozen=True)
class Prepared:
    """Two images as networks and refinements want them."""

    pair: Pair
    fixed: Volume
    """Normalised, on the working grid."""
    moving: Volume
    """Normalised, on the working grid."""
    grid: WorkingGrid
    """Leads from the working grid to that of the fixed image."""
    affine: Float[np.ndarray, "4 4"]
    """Of the fixed image, voxels to RAS millimetres."""
    labels: tuple[Labels, Labels] | None = None
    """Label maps of both images on the working grid, if they were read."""
    warnings: tuple[str, ...] = ()
    alignment: Alignment | None = None
    """The affine map before the network, if there is one."""


@dataclass(frozen=True)
class PreparePair:
    """Reads, checks, normalises, resamples and pads or crops a pair."""

    task: Task
    rule: GridRule
    """The grids that the network and the refinements can work on, in voxels of the volumes."""
    voxel_mm: float | None = None
    """Side of a working voxel; without it voxels are taken as they are stored."""
    labels: bool = False
    """Label maps are read too, see `l2r.pairs.Scan.labels`."""

    def __call__(self, pair: Pair | Loaded, /) -> Prepared:
        """Read a pair, unless it is in memory already, and prepare it.

        Raises:
            ImageError: a file cannot be used, its shape is not the task's, its header's spacing
                makes no sense, or it does not fit on the only grid that the network has.
        """
        loaded = self.read(pair) if isinstance(pair, Pair) else self.checked(pair)
        return self.prepare(loaded)

    def read(self, pair: Pair) -> Loaded:
        """Read both images, and both label maps if they are wanted.

        Raises:
            ImageError: a file cannot be used.
        """
        images = read_image(pair.fixed.path), read_image(pair.moving.path)
        maps = None
        if self.labels:
            maps = read_labels(pair.fixed.labels), read_labels(pair.moving.labels)
        return self.checked(Loaded(pair, images, maps))

    def checked(self, loaded: Loaded) -> Loaded:
        """The same pair, if its shapes are as they should be.

        Raises:
            ImageError: an image's shape is not the task's, or a label map's not its image's.
        """
        scans, expected = (loaded.pair.fixed, loaded.pair.moving), self.task.data.shape
        for scan, image in zip(scans, loaded.images, strict=True):
            if expected is not None and image.shape != expected:
                raise ImageError(
                    f"{scan.path}: shape {image.shape}, but task {self.task.name!r} asks for "
                    f"{expected}; resample the image, or use --task any"
                )
        for scan, image, found in zip(scans, loaded.images, loaded.labels or (), strict=False):
            if found.shape != image.shape:
                raise ImageError(
                    f"{scan.labels}: shape {found.shape}, but its image has {image.shape}"
                )
        return loaded

    def prepare(self, loaded: Loaded) -> Prepared:
        """Normalise both images and bring them, and their label maps, onto one working grid.

        Raises:
            ImageError: the spacing makes no sense, the network is for images of one slice and these
                have more, or cropping would take tissue off.
        """
        pair, (fixed, moving) = loaded.pair, loaded.images
        ratios: Sequence[float] = (1.0, 1.0, 1.0)
        if self.voxel_mm is not None:
            ratios = _ratios(self.voxel_mm, pair, fixed, moving)
        first = self._normalised(fixed, pair.fixed)
        second = self._normalised(moving, pair.moving)
        # After normalisation background is zero, also that of a CT.
        grid, cropped = self._grid(pair, (first.volume, second.volume), ratios)
        headers, scales = header_oddities(pair, fixed, moving), _intensities(pair, first, second)
        brought = grid.bring(first.volume), grid.bring(second.volume)
        if self.task.data.shows is not None:
            refuse_opposed(pair, *brought)
        return Prepared(
            pair=pair,
            fixed=brought[0],
            moving=brought[1],
            grid=grid,
            affine=fixed.affine,
            labels=loaded.labels and _cut(loaded.labels, grid),
            warnings=(*headers, *scales, *cropped),
        )

    def cut(self, maps: tuple[Voxels, Voxels], pair: Pair) -> tuple[Voxels, Voxels]:
        """Two label maps on the grid that images of these shapes would be brought onto.

        Args:
            maps: of the fixed and of the moving image that are to be made from them.
            pair: names the maps in messages.

        Raises:
            ImageError: cropping would take labelled voxels off.
        """
        grid, _ = self._grid(pair, maps)
        return _cut(maps, grid)

    def _normalised(self, image: Image, scan: Scan) -> Normalised:
        try:
            return self.task.preprocess.normalise(np.asarray(image.array, np.float32))
        except ImageError as cause:
            raise ImageError(f"{scan.path}: {cause}") from None

    def _grid(
        self,
        pair: Pair,
        volumes: tuple[Voxels, Voxels],
        ratios: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> tuple[WorkingGrid, tuple[str, ...]]:
        """The grid for both volumes, around what they show, and warnings."""
        fixed, moving = (triple(volume.shape) for volume in volumes)
        grid = working_grid(fixed, moving, self.rule, ratios).around(*volumes)
        scans = (pair.fixed, pair.moving)
        if problem := self.rule.problem(grid.box.shape):
            raise ImageError(f"{pair.fixed.path}, {pair.moving.path}: {problem}")
        warnings = [
            warning
            for scan, volume in zip(scans, volumes, strict=True)
            for warning in _cropped(scan, volume, grid)
        ]
        both = zip(fixed, moving, grid.box.shape, strict=True)
        if any(one == other == 1 < length for one, other, length in both):
            warnings.append(_THICKENED)
        return grid, tuple(warnings)


def _cut(maps: tuple[Voxels, Voxels], grid: WorkingGrid) -> tuple[Voxels, Voxels]:
    """Label maps padded and cropped like their images; with labels, nothing is resampled."""
    return grid.box.cut(maps[0]), grid.box.cut(maps[1])


def _ratios(voxel_mm: float, pair: Pair, fixed: Image, moving: Image) -> tuple[float, ...]:
    """Working voxels per image voxel along each axis; the one slice of both images stays one."""
    flat = np.array(fixed.shape) * np.array(moving.shape) == 1
    ratios = np.where(flat, 1.0, fixed.spacing_mm / voxel_mm)
    if not (ratios.min() >= 1 / _MOST and ratios.max() <= _MOST):
        raise ImageError(
            f"{pair.fixed.path}: voxels of {sides_mm(fixed)} mm by the header, {voxel_mm:g} mm are "
            "asked for; correct the header, or leave voxel_mm out of the run file"
        )
    if not np.allclose(fixed.spacing_mm[~flat], moving.spacing_mm[~flat], rtol=0.01, atol=0):
        raise ImageError(
            f"{pair.moving.path}: voxels of {sides_mm(moving)} mm, those of the fixed image have "
            f"{sides_mm(fixed)}; resample one to the other's grid, fields count in common voxels"
        )
    return tuple(ratios.tolist())


def _cropped(scan: Scan, volume: Voxels, grid: WorkingGrid) -> Iterator[str]:
    """A warning if cropping to the network's grid takes a little tissue off; more is refused."""
    lost = grid.cut_off(volume)
    if not lost:
        return
    found = (
        f"{scan.path}: shape {volume.shape}, but the network works on {grid.box.shape} only, and "
        f"{lost} voxels beyond that are not background"
    )
    if lost > _FRINGE * np.count_nonzero(volume):
        raise ImageError(f"{found}; crop or resample the image, or train weights for a larger grid")
    yield f"{found}; they are ignored"


def _intensities(pair: Pair, fixed: Normalised, moving: Normalised) -> Iterator[str]:
    for scan, found in ((pair.fixed, fixed), (pair.moving, moving)):
        if found.warning is not None:
            yield f"{scan.path}: {found.warning}"
