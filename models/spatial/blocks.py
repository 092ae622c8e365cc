"""Means over blocks of voxels: cubes of a volume, squares of an image of one slice."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool3d

from l2r.arrays import block_sides


def block_means(
    images: Float[Tensor, "batch channel x y z"], side: int
) -> Float[Tensor, "batch channel _ _ _"]:
    """Average over blocks of `side` voxels a side; what is left at the end of an axis is dropped.

    Args:
        images: any channels.
        side: in voxels; an axis of one voxel stays as it is.
    """
    return avg_pool3d(images, block_sides(images.shape[2:], side))
