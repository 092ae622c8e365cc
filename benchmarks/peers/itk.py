"""ITK's space, millimetres along left, posterior, superior, where NIfTI has right and anterior."""

from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.peers.base import Affine
from l2r.arrays import Vectors, Volume

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def geometry(affine: Affine) -> tuple[list[float], list[float], Float[np.ndarray, "3 3"]]:
    """Spacing in mm, origin in mm and direction of an ITK image with this NIfTI affine."""
    matrix = _LPS @ affine
    spacing_mm = np.linalg.norm(matrix[:3, :3], axis=0)
    return spacing_mm.tolist(), matrix[:3, 3].tolist(), matrix[:3, :3] / spacing_mm


def simple_image(volume: Volume, affine: Affine) -> Any:
    """SimpleITK's image of a volume."""
    from SimpleITK import GetImageFromArray  # noqa: PLC0415

    image = GetImageFromArray(volume.T)
    spacing_mm, origin, direction = geometry(affine)
    image.SetSpacing(spacing_mm)
    image.SetOrigin(origin)
    image.SetDirection(direction.ravel().tolist())
    return image


def to_voxels(millimetres: Float[np.ndarray, "x y z 3"], affine: Affine) -> Vectors:
    """An ITK displacement field in voxels along the array axes.

    ITK's fields mean the same as ours, from a place in the fixed to one in the moving image.
    """
    matrix = np.linalg.inv((_LPS @ affine)[:3, :3]).T.astype(np.float32)
    return millimetres.astype(np.float32) @ matrix
