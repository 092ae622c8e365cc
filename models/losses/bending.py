"""Bending energy: fields that are affine in every neighbourhood."""

from itertools import combinations_with_replacement
from typing import Literal

from l2r.arrays import inner
from models.losses.base import Components, SmoothnessTerm, in_plane
from models.types import Fields, Scalar


class Bending(SmoothnessTerm):
    """`mean(u_xx^2 + u_yy^2 + u_zz^2 + 2 u_xy^2 + 2 u_xz^2 + 2 u_yz^2)`, in 1 / voxel.

    Central differences, `u_x(p) = (u(p + 1) - u(p - 1)) / 2`, taken twice; the mean runs over
    batch, components and those voxels that are two or more away from every border. Zero where
    there is none. Of one slice, the terms and components in its plane.

    Source:
        Rueckert et al. (1999), doi:10.1109/42.796284, in the discretisation of
        TransMorph, Chen et al. (2022), doi:10.1016/j.media.2022.102615.
    """

    name: Literal["bending"] = "bending"

    def __call__(self, field: Fields) -> Scalar:
        field, axes = in_plane(field)
        slopes = {axis: _slope(field, axis) for axis in axes}
        total, count = field.new_zeros(()), 1
        for first, second in combinations_with_replacement(axes, 2):
            curvature = _slope(slopes[first], second)
            total = total + (1 if first == second else 2) * curvature.square().sum()
            count = max(curvature.numel(), 1)
        return total / count


def _slope(field: Components, axis: int) -> Components:
    """Along spatial `axis`, on the voxels that have all their neighbours."""
    after, before = list(inner(field.shape[2:])), list(inner(field.shape[2:]))
    after[axis], before[axis] = slice(2, None), slice(None, -2)
    return (field[:, :, *after] - field[:, :, *before]) / 2
