"""Preparation of images for uniGradICON: intensities in [0, 1] on a grid of its own."""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from l2r.arrays import Shape
from models.types import Volumes

Intensities: TypeAlias = Literal["quantile", "kthvalue", "none"]
"""How an image comes to [0, 1].

    quantile    clip to its least value and its 0.99 quantile, stretch: LUMIR's organisers
    kthvalue    the same with the value of rank `int(0.99 n)` of `n`: the command of uniGradICON
    none        as the task gives it
"""

VoxelRows = Float[Tensor, "batch voxel"]
PerImage = Float[Tensor, " batch"]

KEPT = 0.99
"""Of the voxels; the brightest are clipped."""


def normalised(image: Volumes, intensities: Intensities) -> Volumes:
    """`(min(image, most) - least) / (most - least)`, each image of a batch by itself.

    An image with nothing between `least` and `most` becomes zero.

    Args:
        image: any intensities.
        intensities: what `most` is, see there; `least` is the least value.
    """
    if intensities == "none":
        return image
    values = image.flatten(1)
    least = values.amin(dim=1)
    most = _quantile(values) if intensities == "quantile" else _kept_by_rank(values)
    span = (most - least).clamp(min=torch.finfo(image.dtype).tiny)
    least, most, span = (value.view(-1, 1, 1, 1, 1) for value in (least, most, span))
    return (image.minimum(most) - least) / span


def _quantile(values: VoxelRows) -> PerImage:
    """`torch.quantile` without its limit of 16 million values, and without sorting all of them."""
    rank = KEPT * (values.shape[1] - 1)
    below = int(rank)
    lower = values.kthvalue(below + 1, dim=1).values
    upper = values.kthvalue(min(below + 2, values.shape[1]), dim=1).values
    return lower.lerp(upper, rank - below)


def _kept_by_rank(values: VoxelRows) -> PerImage:
    return values.kthvalue(int(KEPT * values.shape[1]), dim=1).values


def resized(image: Volumes, shape: Shape) -> Float[Tensor, "batch 1 _ _ _"]:
    """The image on another grid over the same extent, trilinear between voxels seen as areas."""
    return functional.interpolate(image, shape, mode="trilinear", align_corners=False)
