"""Penalty on voxels that are about to fold by the challenge's count (NDV)."""

from itertools import product
from typing import Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Integer
from pydantic import PositiveFloat
from torch import Tensor

from models.losses.base import DisplacementTerm
from models.types import Fields, Scalar

VoxelOffset: TypeAlias = tuple[int, int, int]
PointGrid = Float[Tensor, "3 x y z"]
EdgeVectors = Float[Tensor, "3 *any"]


class Tetrahedron(NamedTuple):
    """A voxel's centre and three of its neighbours."""

    offsets: tuple[VoxelOffset, VoxelOffset, VoxelOffset]
    at_rest: int
    """Determinant of the offsets."""


TETRAHEDRA = (
    *(
        Tetrahedron(((x, 0, 0), (0, y, 0), (0, 0, z)), x * y * z)
        for x, y, z in product((1, -1), repeat=3)
    ),
    Tetrahedron(((-1, -1, 0), (-1, 0, -1), (0, -1, -1)), 2),
    Tetrahedron(((1, 1, 0), (0, 1, 1), (1, 0, 1)), 2),
)


class Folding(DisplacementTerm):
    """`mean of max(margin - J, 0)^2` over the ten tetrahedra of every voxel but the outermost.

    `J` is the signed volume that `T(p) = p + u(p)` leaves of a tetrahedron, as a share of what it
    was. The ten are those of the non-diffeomorphic volume (NDV), which is positive only if a `J` is
    negative; the penalty begins before, so that a descent is turned back in time.

    Source:
        Liu et al. (2024), On Finite Difference Jacobian Computation in Deformable Image
        Registration, International Journal of Computer Vision, arXiv:2212.06060.
    """

    name: Literal["folding"] = "folding"
    margin: PositiveFloat = 0.2
    """Share of its volume below which a tetrahedron is penalised."""

    def __call__(self, field: Fields) -> Scalar:
        inner = field[:, 0, 1:-1, 1:-1, 1:-1].numel()
        penalties = [self._penalty(one) for one in field]
        return torch.stack(penalties).sum() / max(inner * len(TETRAHEDRA), 1)

    def _penalty(self, field: PointGrid) -> Scalar:
        """Sum over the tetrahedra of one field that have less than `margin` of their volume."""
        lacks = []
        # Few tetrahedra lack volume. They are found without gradients, and only they are computed
        # again with gradients, which takes a fraction of the memory of all tetrahedra.
        for tetrahedron, lacking in zip(TETRAHEDRA, self._lacking(field.detach()), strict=True):
            corners = [lacking + lacking.new_tensor(o)[:, None] for o in tetrahedron.offsets]
            # Positions `T(p) = p + u(p)` of the voxel and of the three other corners.
            here, *others = (
                field[:, x, y, z] + torch.stack([x, y, z]) for x, y, z in [lacking, *corners]
            )
            volumes = _determinant(*(other - here for other in others)) / tetrahedron.at_rest
            lacks.append((self.margin - volumes).square().sum())
        return torch.stack(lacks).sum()

    def _lacking(self, field: PointGrid) -> list[Integer[Tensor, "3 _"]]:
        """Voxels at which each tetrahedron has less than `margin` of its volume."""
        arrows = {
            offset: _shifted(field, offset)
            for offset in {offset for tetrahedron in TETRAHEDRA for offset in tetrahedron.offsets}
        }
        return [
            (_determinant(*(arrows[o] for o in offsets)) / at_rest < self.margin).nonzero().T + 1
            for offsets, at_rest in TETRAHEDRA
        ]


def _shifted(field: PointGrid, offset: VoxelOffset) -> EdgeVectors:
    """`T(p + offset) - T(p)` at every voxel but the outermost."""
    inner = [slice(1, size - 1) for size in field.shape[1:]]
    moved = [slice(1 + o, size - 1 + o) for o, size in zip(offset, field.shape[1:], strict=True)]
    difference = field[(slice(None), *moved)] - field[(slice(None), *inner)]
    return difference + field.new_tensor(offset).view(3, 1, 1, 1)


def _determinant(a: EdgeVectors, b: EdgeVectors, c: EdgeVectors) -> Float[Tensor, "*any"]:
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
