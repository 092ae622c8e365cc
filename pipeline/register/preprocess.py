"""From files to normalised volumes on a common working grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from l2r.arrays import Volume
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError
from l2r.formats.nifti import Image, read_image, read_labels
from l2r.grid import GridRule, WorkingGrid, working_grid
from l2r.task import Task
from pipeline.register.stage import Prepared

_MOST = 8
"""Voxels that one may become, or that may become one, along an axis; more is a wrong header."""
_FRINGE = 1e-3
"""Of an image's tissue, what cropping may take off: less than any label map is sure about."""


@dataclass(frozen=True)
class PreprocessPair:
    """Read, check, normalise, resample, pad."""

    task: Task
    rule: GridRule
    """What the network and the refinements can work on."""
    voxel_mm: float | None = None
    """The side of a working voxel; without it voxels are taken as they are stored."""
    labels: bool = False
    """Read label maps too, see `l2r.dataset.Scan.labels`."""

    def __call__(self, pair: Pair, /) -> Prepared:
        """Load both images of a pair.

        Raises:
            ImageError: a file cannot be used, its shape is not the task's, its header's spacing
                makes no sense, or it does not fit on the only grid that the network has.
        """
        fixed, moving = self._read(pair.fixed), self._read(pair.moving)
        ratios: Sequence[float] = (1.0, 1.0, 1.0)
        if self.voxel_mm is not None:
            ratios = _ratios(self.voxel_mm, pair, fixed, moving)
        grid = working_grid(fixed.shape, moving.shape, self.rule, ratios)
        grid = grid.around(fixed.array, moving.array)
        warnings = [
            *_orientation(fixed, moving),
            *_cropped(pair.fixed, fixed, grid),
            *_cropped(pair.moving, moving, grid),
        ]
        normalise = self.task.preprocess.normalise
        return Prepared(
            pair=pair,
            fixed=grid.bring(normalise(fixed.array)),
            moving=grid.bring(normalise(moving.array)),
            grid=grid,
            affine=fixed.affine,
            labels=self._label_maps(pair, grid, (fixed, moving)) if self.labels else None,
            warnings=tuple(warnings),
        )

    def _label_maps(
        self, pair: Pair, grid: WorkingGrid, images: tuple[Image, Image]
    ) -> tuple[Volume, Volume]:
        """On a working grid that only pads and crops."""
        maps = []
        for scan, image in zip((pair.fixed, pair.moving), images, strict=True):
            found = read_labels(scan.labels)
            if found.shape != image.shape:
                raise ImageError(
                    f"{scan.labels}: shape {found.shape}, but its image has {image.shape}"
                )
            maps.append(grid.bring(found.astype(np.float32)))
        return maps[0], maps[1]

    def _read(self, scan: Scan) -> Image:
        image = read_image(scan.path)
        expected = self.task.data.shape
        if expected is not None and image.shape != expected:
            raise ImageError(
                f"{scan.path}: shape {image.shape}, but task {self.task.name!r} asks for "
                f"{expected}; resample the image, or use --task any"
            )
        return image


def _ratios(voxel_mm: float, pair: Pair, fixed: Image, moving: Image) -> tuple[float, ...]:
    """Working voxels per image voxel along each axis."""
    ratios = fixed.spacing_mm / voxel_mm
    if not (ratios.min() >= 1 / _MOST and ratios.max() <= _MOST):
        raise ImageError(
            f"{pair.fixed.path}: voxels of {_text(fixed)} mm by the header, {voxel_mm:g} mm are "
            "asked for; correct the header, or leave voxel_mm out of the run file"
        )
    if not np.allclose(fixed.spacing_mm, moving.spacing_mm, rtol=0.01, atol=0):
        raise ImageError(
            f"{pair.moving.path}: voxels of {_text(moving)} mm, those of the fixed image have "
            f"{_text(fixed)}; resample one to the other's grid, fields count in common voxels"
        )
    return tuple(ratios.tolist())


def _text(image: Image) -> str:
    return " x ".join(f"{size:.3g}" for size in image.spacing_mm)


def _cropped(scan: Scan, image: Image, grid: WorkingGrid) -> tuple[str, ...]:
    """A warning if cropping to the network's grid takes a little tissue off; more is refused."""
    lost = grid.cut_off(image.array)
    if not lost:
        return ()
    told = (
        f"{scan.path}: shape {image.shape}, but the network works on {grid.box.shape} only, and "
        f"{lost} voxels beyond that are not background"
    )
    if lost > _FRINGE * np.count_nonzero(image.array):
        raise ImageError(f"{told}; crop or resample the image, or train weights for a larger grid")
    return (f"{told}; they are ignored",)


def _orientation(fixed: Image, moving: Image) -> tuple[str, ...]:
    if fixed.orientation == moving.orientation:
        return ()
    return (
        f"headers disagree: fixed is {fixed.orientation}, moving is {moving.orientation}; "
        "the arrays are taken as stored, as the scorers take them",
    )
