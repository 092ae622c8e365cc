"""Affine maps and sampling where voxels are areas and two grids may cover one extent.

`models.spatial.warp.warp` wants image and field on one grid. Here a field may be coarser than what
is sampled, if both cover the same extent.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.types import Fields, Stacks

Matrix = Float[Tensor, "3 3"]
Vector = Float[Tensor, "3"]


def rotation(angles: Vector) -> Matrix:
    """About the three axes one after the other, in radians."""
    result = torch.eye(3)
    for axis, angle in enumerate(angles.tolist()):
        one, other = [other for other in range(3) if other != axis]
        turn = torch.eye(3)
        turn[one, one] = turn[other, other] = math.cos(angle)
        turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
        result = turn @ result
    return result


def affine(field: Fields, matrix: Matrix, shift: Vector) -> Fields:
    """`d(p) = A (p + u(p) - c) + t + c - p` about the centre `c` of the grid, in its voxels.

    The sampled place `p + d(p)` is that of `p + u(p)` turned, stretched and moved; of one slice, it
    stays in the plane.
    """
    x, y, z = (_centred(field, axis) for axis in range(3))
    moved = torch.einsum("cd,bdxyz->bcxyz", matrix.to(field), field)
    moved += shift.to(field).view(3, 1, 1, 1)
    for row, (of_x, of_y, of_z) in enumerate((matrix - torch.eye(3)).to(field)):
        moved[:, row] += of_x * x + of_y * y + of_z * z
    return within_plane(moved)


def within_plane(field: Fields) -> Fields:
    """The field without components along axes of one voxel; that of a volume as it is."""
    return field * field.new_tensor([size > 1 for size in field.shape[2:]]).view(3, 1, 1, 1)


def sampled(
    stack: Stacks, field: Fields, mode: Literal["bilinear", "nearest"] = "bilinear"
) -> Stacks:
    """The stack at `p + d(p)` for each voxel `p` of the field's grid, zero beyond the stack.

    Args:
        stack: on any grid over the extent of the field's.
        field: in voxels of its own grid.
        mode: between voxels.
    """
    size = field.shape[2:]
    parts = [(_centred(field, axis) + field[:, axis]) * (2 / size[axis]) for axis in (2, 1, 0)]
    grid = torch.stack(parts, dim=-1)
    return functional.grid_sample(stack, grid, mode, "zeros", align_corners=False)


def _centred(field: Fields, axis: int) -> Float[Tensor, "_ _ _"]:
    """Distance of each voxel's centre from that of the grid along an axis."""
    size = field.shape[2 + axis]
    line = torch.arange(size, dtype=field.dtype, device=field.device) - (size - 1) / 2
    return line.view([size if other == axis else 1 for other in range(3)])


def either_way(
    most: float, random: torch.Generator, shape: tuple[int, ...] = (3,)
) -> Float[Tensor, "..."]:
    """Evenly drawn between minus and plus some number."""
    return most * (2 * torch.rand(shape, generator=random) - 1)
