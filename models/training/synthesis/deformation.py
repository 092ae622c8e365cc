"""Random deformations that do not fold."""

import torch

from l2r.arrays import Shape, block_sides, triple
from models.spatial.affine import Matrix, affine, either_way, rotation, within_plane
from models.spatial.parametrisation import Velocity
from models.spatial.warp import resize_field
from models.training.synthesis.config import Deformation
from models.training.synthesis.smooth import smooth_noise
from models.types import Fields

_COARSER = 4
"""How much coarser than the label map the grid is on which velocities are drawn and followed."""
_FLOW = Velocity(squarings=5)


def random_deformation(
    shape: Shape, shrink: int, config: Deformation, random: torch.Generator, device: torch.device
) -> Fields:
    """The flow of a smooth random velocity, then an affine map.

    `map(p + d(p))` is the deformed map. Both are invertible, the flow by scaling and squaring.

    Args:
        shape: of the result.
        shrink: voxels of the label map that one of the result is long; the deformation is the same
            for all but for its grid.
        config: how far.
        random: a stream on the CPU.
        device: of the result.

    Returns:
        In voxels of the result; of one slice, within its plane.
    """
    full = triple([a * b for a, b in zip(shape, block_sides(shape, shrink), strict=True)])
    field = resize_field(_FLOW.forward(_velocity(full, config, random).to(device)), shape)
    shift = either_way(config.voxels, random) / shrink
    return affine(field, _matrix(config, random), shift)


def _velocity(full: Shape, config: Deformation, random: torch.Generator) -> Fields:
    """In voxels of the coarse grid."""
    coarse = triple([max(min(2, size), -(-size // _COARSER)) for size in full])
    sides = [size / few for size, few in zip(full, coarse, strict=True)]
    total = torch.zeros(3, *coarse)
    for scale_ in config.noise_scales:
        strength = scale_.strength * torch.rand((), generator=random)
        widths = [scale_.width / side for side in sides]
        total += strength * smooth_noise((3, *coarse), widths, random)
    return within_plane((total / torch.tensor(sides).view(3, 1, 1, 1))[None])


def _matrix(config: Deformation, random: torch.Generator) -> Matrix:
    turned = rotation(torch.deg2rad(either_way(config.degrees, random)))
    sheared = torch.eye(3) + torch.triu(either_way(config.shear, random, (3, 3)), diagonal=1)
    return turned @ sheared @ torch.diag(1 + either_way(config.scale, random))
