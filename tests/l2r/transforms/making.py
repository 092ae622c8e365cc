"""Grids, volumes and fields in general position for the tests of transforms."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from l2r.transforms.base import AffineTransform
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid


def oblique(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], degrees: tuple[float, ...]
) -> Grid:
    """A turned grid about the origin; a negative spacing flips its axis."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


FIXED = oblique((24, 28, 20), (1.5, -1.2, 2.0), (5, -12, 8))
MOVING = oblique((30, 26, 22), (-1.1, 1.4, 1.6), (-10, 4, 15))


def bumps(grid: Grid, most: float = 2.0, seed: int = 0) -> DisplacementTransform:
    """A smooth field of up to `most` voxels that fades towards the border."""
    noise = np.random.default_rng(seed).normal(size=(*grid.shape, 3))
    smooth = gaussian_filter(noise, (4, 4, 4, 0), mode="constant")
    ramps = [np.minimum(np.arange(n), np.arange(n)[::-1]).clip(0, 5) / 5 for n in grid.shape]
    smooth *= np.einsum("i,j,k->ijk", *ramps)[..., None]
    vectors = (smooth * most / np.abs(smooth).max()).astype(np.float32)
    return DisplacementTransform(grid, np.asfortranarray(vectors))


def turn(degrees: tuple[float, ...] = (4, -6, 9)) -> AffineTransform:
    """A small rotation with a stretch and a shift."""
    matrix = np.eye(4)
    rotation = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, :3] = rotation * (1.05, 0.97, 1.02)
    matrix[:3, 3] = (1.5, -2.0, 0.7)
    return AffineTransform(matrix)


def smooth_volume(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Values between 0 and 100."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    scaled = 100 * (noise - noise.min()) / (noise.max() - noise.min())
    return np.asfortranarray(scaled.astype(np.float32))


def blobs(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A label map of a dozen structures, some with large ids."""
    ids = np.array([0, 3, 17, 42, 1035, 2035, 70000, 5])
    parts = [gaussian_filter(np.random.default_rng(seed + n).normal(size=shape), 2) for n in ids]
    return np.asfortranarray(ids[np.argmax(parts, axis=0)].astype(np.int32))


def inner_points(grid: Grid, count: int = 50, seed: int = 0) -> np.ndarray:
    """Places well within a grid, in RAS millimetres."""
    shares = np.random.default_rng(seed).uniform(0.3, 0.7, (count, 3))
    return (shares * grid.shape) @ grid.affine[:3, :3].T + grid.affine[:3, 3]
