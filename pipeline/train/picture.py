"""One validation pair as a picture: what moves, what it should become, and what became of it."""

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from eval.jacobian import at_all_voxels, central_determinants
from eval.warp import warp_linear
from l2r.arrays import Vectors, Volume, triple

Picture = UInt8[np.ndarray, "height width 3"]
Panel = Float32[np.ndarray, "_ _ 3"]

_LINES = 8
"""Voxels between the lines of the grid."""
_GAP = 2
"""Pixels between panels."""


def picture(fixed: Volume, moving: Volume, vectors: Vectors) -> Picture:
    """Columns: moving, fixed, warped, a warped grid, and the warped image with its folds in red.

    Rows: the middle slices across the three axes, or the one slice of an image in two dimensions;
    folds are marked wherever they lie behind it.

    Args:
        fixed: in [0, 1].
        moving: on the same grid as `fixed`.
        vectors: displacements in voxels of that grid.
    """
    warped = warp_linear(moving, vectors)
    folded = at_all_voxels(central_determinants(vectors), triple(fixed.shape)) <= 0
    rows = []
    flat = [axis for axis, size in enumerate(fixed.shape) if size == 1]
    for axis in flat or range(3):
        grid = warp_linear(_lines(fixed, axis), vectors)
        panels = [_grey(_middle(volume, axis)) for volume in (moving, fixed, warped, grid, warped)]
        panels[-1][_upright(np.asarray(folded.any(axis=axis)))] = (1.0, 0.1, 0.1)
        rows.append(np.concatenate([_framed(panel) for panel in panels], axis=1))
    widest = max(row.shape[1] for row in rows)
    filled = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    return np.rint(255 * np.concatenate(filled)).astype(np.uint8)


def _lines(like: Volume, seen_along: int) -> Volume:
    """Bright planes every few voxels, which slices across one axis cut into a grid."""
    planes = np.zeros_like(like)
    for axis in {0, 1, 2} - {seen_along}:
        np.moveaxis(planes, axis, 0)[::_LINES] = 1
    return planes


def _middle(volume: Volume, axis: int) -> Shaped[np.ndarray, "_ _"]:
    return _upright(np.take(volume, volume.shape[axis] // 2, axis))


def _upright(slice_: Shaped[np.ndarray, "_ _"]) -> Shaped[np.ndarray, "_ _"]:
    """The second axis points up, as people expect of axes that run right, forwards and up."""
    return np.rot90(slice_)


def _grey(slice_: Shaped[np.ndarray, "_ _"]) -> Panel:
    return np.repeat(slice_.clip(0, 1).astype(np.float32)[..., None], 3, axis=2)


def _framed(panel: Panel) -> Panel:
    return np.pad(panel, ((0, _GAP), (0, _GAP), (0, 0)))
