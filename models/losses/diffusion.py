"""Diffusion regularisation: fields that change slowly from voxel to voxel."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from models.losses.base import SmoothnessTerm, in_plane
from models.types import Fields


class Diffusion(SmoothnessTerm):
    """`(mean |d_x u|^2 + mean |d_y u|^2 + mean |d_z u|^2) / 3`, forward differences in voxels.

    Each mean runs over batch, components and voxels. Of one slice, `(mean |d_x u|^2 + mean |d_y
    u|^2) / 2` of the two components in its plane.

    Source:
        Balakrishnan et al. (2019), VoxelMorph, doi:10.1109/TMI.2019.2897538, equation 7.
    """

    name: Literal["diffusion"] = "diffusion"

    def __call__(self, field: Fields) -> Float[Tensor, ""]:
        field, axes = in_plane(field)
        return sum(
            (field.diff(dim=2 + axis).square().mean() for axis in axes),
            start=field.new_zeros(()),
        ) / len(axes)
