"""Penalty on voxels that are about to fold by the challenge's count (NDV)."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Integer
from pydantic import PositiveFloat
from torch import Tensor

from models.losses.base import DisplacementTerm
from models.spatial.constants import constants
from models.types import Fields, OtherFields, Scalar

VoxelOffset: TypeAlias = tuple[int, int, int]
PointGrid = Float[Tensor, "3 x y z"]
EdgeVectors = Float[Tensor, "3 *any"]
GridSlices: TypeAlias = tuple[slice, ...]


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
CORNERS = TETRAHEDRA[:8]
"""Those with one neighbour along each axis."""


class Folding(DisplacementTerm):
    """`mean of max(margin - J, 0)^2` over the ten tetrahedra of every voxel but the outermost.

    `J` is the signed volume that `T(p) = p + u(p)` leaves of a tetrahedron, as a share of what it
    was. The ten are those of the non-diffeomorphic volume (NDV), which is positive only if a `J` is
    negative; the penalty begins before, so that a descent is turned back in time. Of one slice, the
    mean runs over the four triangles of a pixel and two of its neighbours.

    Source:
        Liu et al. (2024), On Finite Difference Jacobian Computation in Deformable Image
        Registration, International Journal of Computer Vision, arXiv:2212.06060.
    """

    name: Literal["folding"] = "folding"
    margin: PositiveFloat = 0.2
    """Share of its volume below which a tetrahedron is penalised."""

    def __call__(self, field: Fields) -> Scalar:
        field, tetrahedra = extruded(field)
        inner = field[:, 0, 1:-1, 1:-1, 1:-1].numel()
        # To select voxels, a GPU would have to be waited for; a processor gains by it.
        penalty = sparse_penalty if field.device.type == "cpu" else dense_penalty
        penalties = [penalty(one, self.margin, tetrahedra) for one in field]
        return torch.stack(penalties).sum() / max(inner * len(tetrahedra), 1)


def extruded(field: Fields) -> tuple[OtherFields, Sequence[Tetrahedron]]:
    """A field, and the tetrahedra that may fold in it.

    One slice is repeated to three: a step to the next one never changes its length, so that a
    tetrahedron with such a step folds as the triangle of its two others.
    """
    tetrahedra: Sequence[Tetrahedron] = TETRAHEDRA
    for axis, size in enumerate(field.shape[2:]):
        if size == 1:
            field = field.repeat_interleave(3, dim=2 + axis)
            chosen = CORNERS if tetrahedra is TETRAHEDRA else tetrahedra
            tetrahedra = [one for one in chosen if one.offsets[axis][axis] == 1]
    return field, tetrahedra


def sparse_penalty(
    field: PointGrid, margin: float, tetrahedra: Sequence[Tetrahedron] = TETRAHEDRA
) -> Scalar:
    """Sum over the tetrahedra of one field that have less than `margin` of their volume.

    Few do. They are found without gradients, and only they are computed again with gradients, which
    takes a fraction of the memory of all tetrahedra.
    """
    lacks = []
    for tetrahedron, lacking in zip(
        tetrahedra, _lacking(field.detach(), margin, tetrahedra), strict=True
    ):
        corners = [lacking + lacking.new_tensor(o)[:, None] for o in tetrahedron.offsets]
        # Positions `T(p) = p + u(p)` of the voxel and of the three other corners.
        here, *others = (
            field[:, x, y, z] + torch.stack([x, y, z]) for x, y, z in [lacking, *corners]
        )
        volumes = _determinant(*(other - here for other in others)) / tetrahedron.at_rest
        lacks.append((margin - volumes).square().sum())
    return torch.stack(lacks).sum()


def dense_penalty(
    field: PointGrid, margin: float, tetrahedra: Sequence[Tetrahedron] = TETRAHEDRA
) -> Scalar:
    """The same sum, over all tetrahedra: more operations, but none whose size depends on data."""
    penalty: Scalar = _DensePenalty.apply(field, margin, tetrahedra)  # type: ignore[no-untyped-call]
    return penalty


class _DensePenalty(torch.autograd.Function):
    """The penalty and its gradient by hand, one tetrahedron at a time; only the gradient is kept.

    With the edges a, b, c from a voxel to three neighbours, J = a . (b x c) / J_rest. So the lack
    l = max(margin - J, 0) has d(l^2)/da = -2 l (b x c) / J_rest, and so on in a circle.
    """

    @staticmethod
    def forward(
        ctx: Any, field: PointGrid, margin: float, tetrahedra: Sequence[Tetrahedron]
    ) -> Scalar:
        total, gradient = field.new_zeros(()), torch.zeros_like(field)
        for offsets, at_rest in tetrahedra:
            a, b, c = (_shifted(field, offset) for offset in offsets)
            by_a = torch.linalg.cross(b, c, dim=0)
            lack = (margin - (a * by_a).sum(0) / at_rest).relu_()
            total += lack.square().sum()
            if not ctx.needs_input_grad[0]:
                continue
            lack *= -2 / at_rest
            by_edges = by_a, torch.linalg.cross(c, a, dim=0), torch.linalg.cross(a, b, dim=0)
            for offset, by_edge in zip(offsets, by_edges, strict=True):
                change = by_edge * lack
                here, there = _corners(offset, field.shape)
                gradient[there] += change
                gradient[here] -= change
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Scalar) -> tuple[PointGrid, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


def _lacking(
    field: PointGrid, margin: float, tetrahedra: Sequence[Tetrahedron]
) -> list[Integer[Tensor, "3 _"]]:
    """Voxels at which each tetrahedron has less than `margin` of its volume."""
    edges = {
        offset: _shifted(field, offset)
        for offset in {offset for tetrahedron in tetrahedra for offset in tetrahedron.offsets}
    }
    return [
        (_determinant(*(edges[o] for o in offsets)) / at_rest < margin).nonzero().T + 1
        for offsets, at_rest in tetrahedra
    ]


def _shifted(field: PointGrid, offset: VoxelOffset) -> EdgeVectors:
    """`T(p + offset) - T(p)` at every voxel but the outermost."""
    here, there = _corners(offset, field.shape)
    return field[there] - field[here] + constants(field, offset).view(3, 1, 1, 1)


def _corners(offset: VoxelOffset, shape: torch.Size) -> tuple[GridSlices, GridSlices]:
    """Every voxel but the outermost, and its neighbour, as indices of a field."""
    here = (slice(1, size - 1) for size in shape[1:])
    there = (slice(1 + o, size - 1 + o) for o, size in zip(offset, shape[1:], strict=True))
    return (slice(None), *here), (slice(None), *there)


def _determinant(a: EdgeVectors, b: EdgeVectors, c: EdgeVectors) -> Float[Tensor, "*any"]:
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
