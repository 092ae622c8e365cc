"""Points by a chain of transforms, from a list to a list of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from l2r.disk import writing
from l2r.errors import ConfigError, ImageError, OutputError
from l2r.formats.affine import Affine
from l2r.formats.points import SIGNS, SUFFIXES, PointArray, System, read_points, with_points
from l2r.transforms.grids import Grid
from pipeline.transforms.chain import read_chain, read_grids
from pipeline.transforms.words import PairFiles, Side, Units


@dataclass(frozen=True)
class PointsRequest:
    """A list of points, where it goes, and the unit of its numbers."""

    points: Path
    output: Path
    units: Units | None
    """Of a CSV; other lists have theirs."""
    to: Side
    """Image that the points are brought to."""


def move_points(request: PointsRequest, transforms: Sequence[str], files: PairFiles) -> str:
    """Bring the points to the other image, and say how well they return.

    Args:
        request: the points.
        transforms: as `read_chain` takes them, from the fixed to the moving image.
        files: of the pair, where they are given.

    Raises:
        L2RError: a file cannot be read, or a unit or a grid must be given.
    """
    _check_names(request)
    grids = read_grids(files)
    start = grids.fixed if request.to == "moving" else grids.moving
    end = grids.moving if request.to == "moving" else grids.fixed
    points, system = read_points(request.points)
    units = _units(request, system)
    to_ras, from_ras = _to_ras(units, start, request), np.linalg.inv(_to_ras(units, end, request))
    chain = read_chain(transforms, grids, grids.fixed).transform
    forward = chain if request.to == "moving" else chain.inverse()
    before = _mapped(to_ras, points)
    after = forward(before)
    text = with_points(request.points, _mapped(from_ras, after))
    with writing(request.output) as file:
        file.write(text.encode())
    off = np.linalg.norm(forward.inverse()(after) - before, axis=1)
    moved = np.linalg.norm(after - before, axis=1)
    return (
        f"{len(before)} points, moved by {moved.mean():.4g} mm on average, "
        f"round-trip residual mean {off.mean():.2g}, max {off.max():.2g} mm"
    )


def _check_names(request: PointsRequest) -> None:
    wanted, given = (_suffix(path) for path in (request.points, request.output))
    if given != wanted:
        raise OutputError(f"{request.output}: must end in {wanted}, as the list that is read")


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise ImageError(f"{path}: lists of points end in {', '.join(SUFFIXES)}")


def _units(request: PointsRequest, system: System | None) -> Units:
    """The unit of the numbers, which a list of Slicer has itself."""
    if system is not None:
        return cast("Units", system.lower())
    if request.units is None:
        raise ConfigError(
            f"{request.points}: a CSV does not say its unit; give --units voxels, ras or lps"
        )
    return request.units


def _to_ras(units: Units, grid: Grid | None, request: PointsRequest) -> Affine:
    """The affine from a list's numbers to RAS millimetres."""
    if units == "voxels":
        if grid is None:
            raise ConfigError(
                f"{request.points}: voxels count on the grids of both images; give --fixed and "
                "--moving"
            )
        return grid.affine
    return np.diag([*SIGNS["LPS" if units == "lps" else "RAS"], 1.0])


def _mapped(affine: Affine, points: PointArray) -> PointArray:
    return points @ affine[:3, :3].T + affine[:3, 3]
