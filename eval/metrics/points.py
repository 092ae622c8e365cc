"""Corresponding points for the scorers, in voxels of an image."""

from pathlib import Path

import numpy as np

from l2r.errors import ImageError
from l2r.formats.points import SIGNS, PointArray, numbered_lines, points_of, read_points
from l2r.formats.table import format_of


def read_csv(path: Path) -> PointArray:
    """Three numbers per line, in voxels of the image, without a heading.

    Raises:
        ImageError: missing, or a line is something else.
    """
    return points_of(path, numbered_lines(path), (0, 1, 2), width=3)


def read_slicer(path: Path, image: Path) -> PointArray:
    """The points of a 3D Slicer list, brought into voxels of the image by its affine.

    Raises:
        ImageError: missing, not such a list, in an unknown coordinate system, or the image cannot
            be read.
    """
    points, system = read_points(path)
    world = points * SIGNS[system or "RAS"]
    to_voxels = np.linalg.inv(format_of(image).geometry(image, ImageError).affine)
    return world @ to_voxels[:3, :3].T + to_voxels[:3, 3]
