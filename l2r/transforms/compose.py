"""A chain of transforms as one: an affine matrix, or a displacement field on a grid."""

from collections.abc import Sequence

import numpy as np

from l2r.transforms.base import SpatialTransform, TransformChain, as_matrix
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid, slab_of
from l2r.transforms.slabs import over_slabs


def compose(parts: Sequence[SpatialTransform], grid: Grid) -> SpatialTransform:
    """Compute one transform that does what the parts do one after the other.

    Args:
        parts: the one at the fixed image first.
        grid: of the displacement field; matrices are multiplied and need none.
    """
    return as_matrix(parts) or as_displacement(TransformChain(parts), grid)


def as_displacement(transform: SpatialTransform, grid: Grid) -> DisplacementTransform:
    """Any transform as a displacement field on a grid, in single precision."""
    vectors = np.empty((*grid.shape, 3), np.float32, order="F")

    def work(planes: slice) -> None:
        here = slab_of(grid, planes)
        moved = transform.move(here).on(grid).coordinates
        vectors.T[:, planes] = moved - here.coordinates

    over_slabs(grid.shape, work)
    return DisplacementTransform(grid, vectors)
