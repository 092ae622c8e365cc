"""Displacement fields in millimetres as transforms, and the reverse."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from l2r.arrays import triple
from l2r.formats.affine import Affine
from l2r.transforms.checks import check_vectors
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import LPS, Grid

RAS = np.eye(4)
"""Axes of NIfTI's millimetres."""


def from_mm(
    vectors_mm: Shaped[np.ndarray, "x y z 3"], affine: Affine, path: Path, axes: Affine = LPS
) -> DisplacementTransform:
    """The transform of displacements in millimetres.

    Args:
        vectors_mm: on the grid of the affine.
        affine: voxels to RAS millimetres.
        path: of the file, for messages.
        axes: `LPS`, ITK's, or `RAS`.

    Raises:
        TransformError: they are not finite, or so large that the unit must be another.
    """
    grid = Grid(triple(vectors_mm.shape[:3]), affine)
    matrix = grid.to_voxels[:3, :3] @ axes[:3, :3]
    vectors = _mixed(vectors_mm.astype(np.float32, copy=False), matrix)
    check_vectors(vectors, grid, path, "millimetres")
    return DisplacementTransform(grid, vectors)


def to_mm(field: DisplacementTransform, axes: Affine = LPS) -> Float[np.ndarray, "x y z 3"]:
    """The displacements of a transform in millimetres, in single precision."""
    return _mixed(field.vectors, axes[:3, :3] @ field.grid.affine[:3, :3])


def _mixed(
    vectors: Float[np.ndarray, "x y z 3"], matrix: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "x y z 3"]:
    """`matrix @ v` of every vector, component by component: it is mostly diagonal."""
    result = np.zeros(vectors.shape, np.float32, order="F")
    for row, weights in enumerate(matrix):
        for column in np.flatnonzero(weights):
            result[..., row] += np.float32(weights[column]) * vectors[..., column]
    return result
