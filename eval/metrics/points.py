"""Corresponding points in files: classic Learn2Reg's CSV, and 3D Slicer's .fcsv."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.errors import ImageError
from l2r.formats.volumes import read_image
from l2r.schema import read_text

PointArray = Float[np.ndarray, "points 3"]

_TO_RAS = {"RAS": (1, 1, 1), "0": (1, 1, 1), "LPS": (-1, -1, 1), "1": (-1, -1, 1)}
"""Signs by the name of a coordinate system, which old versions of Slicer write as a number."""


def read_csv(path: Path) -> PointArray:
    """Three numbers per line, in voxels of the image, without a heading.

    Raises:
        ImageError: missing, or a line is something else.
    """
    return _points(path, _lines(path), (0, 1, 2), columns=3)


def read_fcsv(path: Path, image: Path) -> PointArray:
    """The points of a 3D Slicer list, brought into voxels of the image by its affine.

    Raises:
        ImageError: missing, not such a list, in an unknown coordinate system, or the image cannot
            be read.

    Source:
        slicer.readthedocs.io, developer guide, Markups, "Markups fiducial point list file format".
    """
    numbered = _lines(path)
    settings = dict(
        [part.strip() for part in line.lstrip("# ").split("=", 1)]
        for _, line in numbered
        if line.startswith("#") and "=" in line
    )
    names = settings.get("columns", "id,x,y,z").split(",")
    system = settings.get("CoordinateSystem", "RAS")
    if system not in _TO_RAS:
        raise ImageError(
            f"{path}: coordinate system {system!r}, expected RAS or LPS; save the list again"
        )
    if not {"x", "y", "z"} <= set(names):
        raise ImageError(f"{path}: columns {','.join(names)}, expected x, y and z among them")
    rows = [(number, line) for number, line in numbered if not line.startswith("#")]
    places = names.index("x"), names.index("y"), names.index("z")
    world = _points(path, rows, places, columns=None) * _TO_RAS[system]
    to_voxels = np.linalg.inv(read_image(image).affine)
    return world @ to_voxels[:3, :3].T + to_voxels[:3, 3]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not empty, with their numbers."""
    numbered = enumerate(read_text(path, ImageError).splitlines(), start=1)
    return [(number, line) for number, line in numbered if line.strip()]


def _points(
    path: Path, rows: list[tuple[int, str]], places: tuple[int, ...], columns: int | None
) -> PointArray:
    points = []
    for number, line in rows:
        cells = line.split(",")
        try:
            point = [float(cells[place]) for place in places]
        except (ValueError, IndexError):
            point = []
        if len(cells) != (columns or len(cells)) or not np.isfinite(point).all() or not point:
            raise ImageError(
                f"{path}: line {number}: {line[:60]!r}, expected the numbers x, y, z of a point"
            )
        points.append(point)
    if not points:
        raise ImageError(f"{path}: no point; a list of key points is expected")
    return np.array(points)
