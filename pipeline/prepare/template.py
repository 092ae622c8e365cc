"""The MNI152 brain and the grid of LUMIR's challenge around it."""

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import binary_erosion

from l2r.formats.affine import Affine
from l2r.formats.volumes import Image, read_image
from l2r.transforms.base import AffineTransform
from l2r.transforms.grids import Grid
from l2r.transforms.resample import Resampling

GRID = Grid(
    (160, 224, 192),
    np.array([[1.0, 0, 0, -80], [0, 1, 0, -129], [0, 0, 1, -77], [0, 0, 0, 1]]),
)
"""Voxels of 1 mm, RAS."""
WHITE_LEVEL = 110.0
"""Median of white matter in prepared images, of 255."""
_WHITE, _GREY = 205, (130, 185)
"""Brightness of the template from which it shows white matter, and between which grey, of 255."""
_T1 = 0.2
"""Correlation with the template within white and grey matter from which an image is T1-weighted;
such heads have .5 to .7, T2 and FLAIR -.2 to -.3."""


@cache
def template() -> Image:
    """The MNI152 brain at 2 mm."""
    return read_image(Path(__file__).with_name("mni152_brain.nii.gz"))


@cache
def template_on_grid() -> Float32[np.ndarray, "x y z"]:
    """The MNI152 brain on the challenge's grid."""
    return Resampling(GRID, AffineTransform(np.eye(4)))(template().array, template().affine)


def white_level(volume: Float32[np.ndarray, "x y z"]) -> float:
    """The median of an image on the grid where the template shows deep white matter."""
    white = binary_erosion(template_on_grid() > _WHITE) & (volume > 0)
    return float(np.median(volume[white])) if white.any() else 0.0


def is_t1(volume: Float32[np.ndarray, "x y z"]) -> bool:
    """Tell if an image on the grid has white matter bright and grey matter darker, as T1 shows it.

    The outline of the brain, which all contrasts share, does not count.
    """
    brain, (low, high) = template_on_grid(), _GREY
    tissue = binary_erosion(brain > _WHITE) | binary_erosion((brain > low) & (brain < high))
    tissue &= volume > 0
    if not tissue.any() or volume[tissue].std() == 0:
        return False
    return float(np.corrcoef(volume[tissue], brain[tissue])[0, 1]) > _T1


def correlation(volume: Float32[np.ndarray, "x y z"]) -> float:
    """Pearson's correlation with the template inside its brain."""
    brain: Bool[np.ndarray, "x y z"] = template_on_grid() > 0
    if volume[brain].std() == 0:
        return 0.0
    return float(np.corrcoef(volume[brain], template_on_grid()[brain])[0, 1])


def coverage(grid: Grid, matrix: Affine) -> float:
    """The share of the template's brain that lies within an image's field of view.

    Args:
        grid: of the image.
        matrix: RAS millimetres of the template to those of the image.
    """
    brain = np.argwhere(template().array > 0).T
    to_voxels = grid.to_voxels @ matrix @ template().affine
    return float(grid.holds(to_voxels[:3, :3] @ brain + to_voxels[:3, 3:]).mean())
