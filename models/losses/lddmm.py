"""Penalty on velocities by a differential operator, as TM-TVF publishes it for LDDMM."""

from typing import Annotated, Literal

from pydantic import Field

from l2r.arrays import inner, plane_axes
from models.losses.base import Components, SmoothnessTerm, in_plane
from models.types import Fields, Scalar


class Lddmm(SmoothnessTerm):
    """LDDMM's norm of a velocity `v` in voxels, with `g = gamma v - alpha (v_xx + v_yy + v_zz)`.

    The Laplacian by second differences, `v(p + 1) - 2 v(p) + v(p - 1)` along each axis, component
    by component, at those voxels that have all six neighbours; averaged over the batch. Of one
    slice, the differences and components in its plane.

    "printed" is `|L v|^2` with the operator `L = (gamma - alpha Laplacian)^2`, summed over
    components and averaged over voxels. The paper prints the norms of images and velocities over
    the whole image, one to one; the mean keeps that balance beside similarities, which are means.

    "published" is the sum of `g^4` over components and voxels: the code squares `g` where it should
    apply the operator again, and adds up over the grid beside a mean over the image. So its norm
    counts as many times more as the grid has voxels, 860,160 for half of 160 x 192 x 224, and
    grows with the grid. It adds up over the batch too, and was trained with batches of 1.

    Source:
        Chen et al., TM-TVF-LDDMM, github.com/junyuchen245/TransMorph_TVF; Beg et al. (2005),
        doi:10.1023/B:VISI.0000043755.93987.aa, for LDDMM and its operator.
    """

    name: Literal["lddmm"] = "lddmm"
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    gamma: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.001
    operator: Literal["published", "printed"] = "published"
    """As in the published code, or as the paper prints it; that one needs two neighbours."""

    def __call__(self, field: Fields) -> Scalar:
        once = self._applied(in_plane(field)[0])
        if self.operator == "published":
            return once.square().square().sum() / len(field)
        return self._applied(once).square().sum(dim=1).mean()

    def _applied(self, field: Components) -> Components:
        """`gamma v - alpha Laplacian v`, where there are all neighbours."""
        return self.gamma * _inner(field) - self.alpha * _laplacian(field)


def _laplacian(field: Components) -> Components:
    sides = inner(field.shape[2:])
    seconds = []
    for axis in plane_axes(field.shape[2:]):
        others = [slice(None) if one == axis else side for one, side in enumerate(sides)]
        seconds.append(field.diff(n=2, dim=2 + axis)[:, :, *others])
    first, *rest = seconds
    return sum(rest, start=first)


def _inner(field: Components) -> Components:
    return field[:, :, *inner(field.shape[2:])]
