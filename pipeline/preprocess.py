"""From files to normalised volumes on a common working grid."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l2r.arrays import Box, GridRule, working_box
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError
from l2r.files import Image, read_image
from l2r.task import Task
from pipeline.stage import Prepared


@dataclass(frozen=True)
class PreprocessPair:
    """Read, check, normalise, pad."""

    task: Task
    grid: GridRule
    """What the network and the refinements can work on."""

    def __call__(self, pair: Pair, /) -> Prepared:
        """Load both images of a pair.

        Raises:
            ImageError: a file cannot be used, its shape is not the task's, or it does not fit on
                the only grid that the network has.
        """
        fixed, moving = self._read(pair.fixed), self._read(pair.moving)
        box = working_box(fixed.shape, moving.shape, self.grid)
        _refuse_losses(box, self.grid, (pair.fixed.path, fixed), (pair.moving.path, moving))
        normalise = self.task.preprocess.normalise
        return Prepared(
            pair=pair,
            fixed=box.cut(normalise(fixed.array)),
            moving=box.cut(normalise(moving.array)),
            box=box,
            shape=fixed.shape,
            affine=fixed.affine,
            warnings=_warnings(fixed, moving),
        )

    def _read(self, scan: Scan) -> Image:
        image = read_image(scan.path)
        expected = self.task.data.shape
        if expected is not None and image.shape != expected:
            raise ImageError(
                f"{scan.path}: shape {image.shape}, but task {self.task.name!r} asks for "
                f"{expected}; resample the image, or use --task any"
            )
        return image


def _refuse_losses(box: Box, rule: GridRule, *images: tuple[Path, Image]) -> None:
    """Cropping is allowed as long as it takes nothing but background away."""
    for path, image in images:
        lost = np.count_nonzero(image.array) - np.count_nonzero(box.cut(image.array))
        if lost:
            raise ImageError(
                f"{path}: shape {image.shape}; the network has a grid of {rule.exactly} only and "
                f"would cut {lost} voxels off that are not background; crop or resample the image, "
                "or train weights for a larger grid and give its shape in the model's configuration"
            )


def _warnings(fixed: Image, moving: Image) -> tuple[str, ...]:
    if fixed.orientation == moving.orientation:
        return ()
    return (
        f"headers disagree: fixed is {fixed.orientation}, moving is {moving.orientation}; "
        "the arrays are taken as stored, as the scorers take them",
    )
