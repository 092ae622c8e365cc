"""Displacements as colours, as a deformed grid, and as growth and shrinkage."""

import numpy as np
from jaxtyping import Bool, Float, UInt8

LEAST_DETERMINANT = 1e-3
"""Determinants below count as this in a logarithm; the map marks folds besides."""


def displacement_colours(
    vectors_mm: Float[np.ndarray, "rows columns 3"], limit_mm: float
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Displacements to the right, forwards and up as red, green and blue; grey where none is.

    Args:
        vectors_mm: as `AnatomicalView.anatomical_mm` gives them.
        limit_mm: displacement with the strongest colour, in either direction.
    """
    part = 0.5 + vectors_mm / (2 * limit_mm)
    return np.rint(255 * part.clip(0, 1)).astype(np.uint8)


def deformed_grid(
    in_plane: Float[np.ndarray, "rows columns 2"], every: int = 8
) -> Bool[np.ndarray, "rows columns"]:
    """Lines of the moving grid, a few voxels apart, as they lie on the fixed image.

    Args:
        in_plane: displacements across and up, as `AnatomicalView.in_plane` gives them.
        every: voxels between lines.
    """
    rows, columns = in_plane.shape[:2]
    across = np.arange(columns)[None, :] + in_plane[..., 0]
    up = np.arange(rows)[::-1, None] + in_plane[..., 1]
    lines = np.zeros((rows, columns), bool)
    for places in (across, up):
        cells = np.floor(places / every)
        lines[:, 1:] |= cells[:, 1:] != cells[:, :-1]
        lines[1:] |= cells[1:] != cells[:-1]
    return lines


def log_determinants(determinants: Float[np.ndarray, "*grid"]) -> Float[np.ndarray, "*grid"]:
    """Natural logarithm: 0 where volumes are kept, positive where the moving image shrinks."""
    return np.log(np.maximum(determinants, LEAST_DETERMINANT))
