"""Painted brains of known size at any place, on any grid."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from l2r.formats.affine import Affine
from l2r.phantom import BRAIN
from l2r.transforms.grids import Grid

HALF_MM = np.array([85.0, 100.0, 80.0])
"""Of the box that the structures are given in."""
PLAIN = Grid(
    (68, 80, 64), np.array([[3.0, 0, 0, -100], [0, 3, 0, -118], [0, 0, 3, -94], [0, 0, 0, 1]])
)
LANDMARKS_MM = np.random.default_rng(5).uniform(-55, 55, (40, 3))


def painted(grid: Grid, matrix: Affine | None = None) -> np.ndarray:
    """The brain of which every place `x` lies at `matrix x`."""
    coordinates = np.indices(grid.shape).reshape(3, -1)
    to_brain = np.linalg.inv(np.eye(4) if matrix is None else matrix) @ grid.affine
    places = (to_brain[:3, :3] @ coordinates + to_brain[:3, 3:]).T.reshape(*grid.shape, 3)
    image = np.zeros(grid.shape, np.float32)
    for part in BRAIN:
        image[part.holds(places / HALF_MM)] = part.brightness
    return gaussian_filter(image, 0.7)


def moved(
    degrees: float, shift_mm: float, scales: tuple[float, float, float] = (1, 1, 1)
) -> Affine:
    """A turn about an oblique axis with a shift and scales."""
    matrix = np.eye(4)
    axis = np.array([1.0, 2.0, -1.5]) / np.linalg.norm([1.0, 2.0, -1.5])
    turn = Rotation.from_rotvec(axis * np.deg2rad(degrees)).as_matrix()
    matrix[:3, :3] = turn @ np.diag(scales)
    matrix[:3, 3] = shift_mm * np.array([0.6, -0.64, 0.48])
    return matrix


def oblique(matrix: Affine) -> Grid:
    """A turned grid with unlike sides and a flipped axis that holds the brain moved by a matrix."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [10, -5, 15], degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag([-2.5, 2.5, 4.0])
    shape = (96, 104, 60)
    affine[:3, 3] = matrix[:3, 3] - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def error_mm(found: Affine, true: Affine) -> float:
    """Mean distance of landmarks that two maps bring elsewhere."""
    rest = (found - true)[:3]
    return float(np.linalg.norm(LANDMARKS_MM @ rest[:, :3].T + rest[:, 3], axis=1).mean())
