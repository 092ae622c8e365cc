"""Learn2Reg's fields as transforms in physical space, and the reverse.

Such a field counts voxels: `warped(p) = moving(p + u(p))`, with `p` an index of the fixed and
`p + u(p)` one of the moving image, whatever the headers have. In millimetres that is
`T(A_f p) = A_m (p + u(p))` with the affines of both images.
"""

import numpy as np
from jaxtyping import Float

from l2r.arrays import triple
from l2r.formats.affine import Affine
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid, slab_of
from l2r.transforms.slabs import over_slabs


def from_learn2reg(
    vectors: Float[np.ndarray, "x y z 3"], fixed: Affine, moving: Affine
) -> DisplacementTransform:
    """Build the transform of a field.

    Args:
        vectors: displacements in voxels, on the grid of the fixed image.
        fixed: voxels of the fixed image to RAS millimetres.
        moving: voxels of the moving image to RAS millimetres.
    """
    grid = Grid(triple(vectors.shape[:3]), fixed)
    if grid.has_axes_of(moving):
        return DisplacementTransform(grid, vectors)
    return DisplacementTransform(grid, followed_by(vectors, grid.to_voxels @ moving))


def to_learn2reg(transform: DisplacementTransform, moving: Affine) -> Float[np.ndarray, "x y z 3"]:
    """Compute the inverse of `from_learn2reg`: displacements in voxels of the moving image."""
    grid = transform.grid
    if grid.has_axes_of(moving):
        return transform.vectors
    return followed_by(transform.vectors, np.linalg.inv(moving) @ grid.affine)


def followed_by(
    vectors: Float[np.ndarray, "x y z 3"], affine: Affine
) -> Float[np.ndarray, "x y z 3"]:
    """Compose a field with an affine map of voxel indices: `affine (p + u(p)) - p`."""
    grid = Grid(triple(vectors.shape[:3]), np.eye(4))
    result = np.empty(vectors.shape, vectors.dtype, order="F")

    def work(planes: slice) -> None:
        here = slab_of(grid, planes).coordinates
        moved = here + vectors.T[:, planes]
        for axis, (*row, shift) in enumerate(affine[:3]):
            result.T[axis, planes] = np.tensordot(row, moved, 1) + shift - here[axis]

    over_slabs(grid.shape, work)
    return result
