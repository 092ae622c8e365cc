"""Smoothing as one matrix per axis: a Gaussian, thick slices, and smooth noise."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from models.spatial.interpolation import linear_weights

Square = Float[Tensor, "_ _"]
Stack = Float[Tensor, "*stack x y z"]


def gaussian(size: int, width: float) -> Square:
    """Means under a Gaussian of this standard deviation in voxels; at the border under its rest."""
    if width == 0:
        return torch.eye(size)
    weights = torch.exp(-0.5 * (_distances(size) / width) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def thick_slices(size: int, thickness: float) -> Square:
    """Means over slices of about this many voxels, and linear interpolation between them."""
    count = max(1, round(size / thickness))
    edges = torch.arange(count + 1) * (size / count)
    voxels = torch.arange(size)
    shares = torch.minimum(edges[1:, None], voxels + 1) - torch.maximum(edges[:-1, None], voxels)
    means = shares.clamp(min=0) * (count / size)
    places = ((voxels + 0.5) * (count / size) - 0.5).clamp(0, count - 1)
    return linear_weights(places, count) @ means


def along_axes(stack: Stack, matrices: Sequence[Square]) -> Stack:
    """The product with one matrix along each of the last three axes."""
    first, second, third = (matrix.to(stack) for matrix in matrices)
    rows = second @ (stack @ third.T)
    return (first @ rows.flatten(-2)).view(stack.shape)


def smooth_noise(
    shape: tuple[int, int, int, int], widths: Sequence[float], random: torch.Generator
) -> Float[Tensor, "channel x y z"]:
    """Unit normal at every voxel, neighbours alike over these many voxels along each axis.

    Args:
        shape: channels and grid.
        widths: standard deviation of the Gaussian that white noise is put under, per axis.
        random: a stream on the CPU.
    """
    noise = torch.randn(shape, generator=random)
    matrices = [gaussian(size, width) for size, width in zip(shape[1:], widths, strict=True)]
    return along_axes(noise, [matrix / matrix.norm(dim=1, keepdim=True) for matrix in matrices])


def _distances(size: int) -> Square:
    index = torch.arange(size, dtype=torch.float32)
    return index[:, None] - index
