"""Faults of transforms that would be applied without a complaint, and give nonsense."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.errors import TransformError
from l2r.transforms.grids import Grid

logger = logging.getLogger(__name__)

_TINY_VOX = 0.5
"""Registered images differ by more somewhere."""


def check_vectors(vectors: Float[np.ndarray, "x y z 3"], grid: Grid, path: Path, unit: str) -> None:
    """Refuse a field that cannot be meant: with NaN, or in another unit by its size.

    Args:
        vectors: displacements in voxels of the grid.
        grid: of the field.
        path: of the file, for the message.
        unit: that the numbers were taken to be in.

    Raises:
        TransformError: it cannot be meant.
    """
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors)).sum())
        raise TransformError(f"{path}: {bad} of {vectors.size} values are NaN or infinite")
    largest = max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))
    if largest > max(grid.shape):
        raise TransformError(
            f"{path}: displacements of up to {largest:.4g} voxels on a grid of {grid.shape}, read "
            f"as {unit}; is it in another unit, or does it hold places instead of displacements?"
        )
    if 0 < largest < _TINY_VOX:
        logger.warning(
            "%s: displacements of at most %.2g voxels, read as %s; are they in another unit, for "
            "instance normalised to [-1, 1]?", path, largest, unit,
        )  # fmt: skip
