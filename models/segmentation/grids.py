"""The grid on which a segmentation sees an image, whatever grid the image has."""

import numpy as np

from l2r.arrays import Shape, triple
from l2r.formats.volumes import Image
from l2r.transforms.base import TransformChain
from l2r.transforms.grids import Grid, placed
from l2r.transforms.resample import Resampling
from l2r.transforms.words import Interpolation

VOXEL_MM = 1.0
_EVEN = 2


def upright_grid(image: Image) -> Grid:
    """Cubes of 1 mm along right, anterior and superior that hold the whole image.

    An image that already has such voxels keeps them, so nothing is interpolated.
    """
    sides = np.diag([VOXEL_MM] * 3)
    if np.allclose(image.affine[:3, :3], sides, rtol=0, atol=1e-3):
        return Grid(_even(image.shape), image.affine)
    corners = placed(image.affine, image.grid.corners())
    first, last = corners.min(axis=1), corners.max(axis=1)
    affine = np.eye(4)
    affine[:3, 3] = first
    sizes = np.ceil((last - first) / VOXEL_MM).astype(int) + 1
    return Grid(_even(triple(sizes.tolist())), affine)


def on_grid(image: Image, grid: Grid, interpolation: Interpolation = "linear") -> Image:
    """An image or a label map on a grid, zero beyond it."""
    if image.grid.is_like(grid):
        return image
    resampling = Resampling(grid, TransformChain([]), interpolation)
    return Image(resampling(image.array, image.affine), grid.affine)


def _even(shape: Shape) -> Shape:
    return triple([-(-size // _EVEN) * _EVEN for size in shape])
