"""The Jacobian determinant of a transform, by central differences."""

import numpy as np
from jaxtyping import Float, Float64

from l2r.arrays import Shape, inner

FloatType = type[np.float64] | type[np.float32]
MatrixRow = list[Float[np.ndarray, "*_"]]
"""Three components of a derivative, each for many voxels."""


def central_determinants(
    vectors: Float[np.ndarray, "x y z 3"],
    *,
    planes: int = 4,
    precision: FloatType = np.float64,
) -> Float[np.ndarray, "_ _ _"]:
    """`det(I + du/dp)`, the volume that a voxel takes on, with `du/dx = (u(x+1) - u(x-1)) / 2`.

    Args:
        vectors: displacements in voxels, at least three along each axis, or one slice, whose
            determinants are those of its plane.
        planes: of a slab; few, so that temporary arrays fit into the processor's cache.
        precision: of the determinants.

    Returns:
        1 where nothing moves, 0 or less where the transform folds. For all voxels but the
        outermost, which lack a neighbour; the one slice of an image counts.
    """
    vectors = extruded(vectors)
    x, y, z = (size - 2 for size in vectors.shape[:3])
    found = np.empty((z, y, x), precision)  # NIfTI has x fastest: see eval.warp
    for start in range(0, z, planes):
        stop = min(start + planes, z)
        block = vectors.T[:, start : stop + 2].astype(precision)
        rows = [_row(block, axis) for axis in (3, 2, 1)]
        for axis, row in enumerate(rows):
            row[axis] += 1
        found[start:stop] = determinant(*rows)
    return found.T


def at_all_voxels(
    determinants: Float[np.ndarray, "_ _ _"], shape: Shape
) -> Float64[np.ndarray, "_ _ _"]:
    """Determinants on the whole grid of this shape, 1 at the outermost voxels."""
    whole = np.ones(shape)
    whole[inner(shape)] = determinants
    return whole


def extruded(vectors: Float[np.ndarray, "x y z 3"]) -> Float[np.ndarray, "_ _ _ 3"]:
    """A field with one slice repeated to three, so that the middle one has neighbours."""
    for axis, size in enumerate(vectors.shape[:3]):
        if size == 1:
            vectors = np.repeat(vectors, 3, axis)
    return vectors


def determinant(a: MatrixRow, b: MatrixRow, c: MatrixRow) -> Float[np.ndarray, "*_"]:
    """Determinants of matrices with rows `a`, `b` and `c`, in the scorers' order of operations."""
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - b[0] * (a[1] * c[2] - a[2] * c[1])
        + c[0] * (a[1] * b[2] - a[2] * b[1])
    )


def _row(block: Float[np.ndarray, "3 z y x"], axis: int) -> MatrixRow:
    """Half the difference of the two neighbours along an axis, for the voxels inside."""
    before, after = (
        [part if other == axis else slice(1, -1) for other in (1, 2, 3)]
        for part in (slice(None, -2), slice(2, None))
    )
    return [0.5 * (one[tuple(after)] - one[tuple(before)]) for one in block]
