"""Weighted sums over a cubic window, as three products with a banded matrix.

    box(v)(p)      = sum of v(q) over |q - p| <= radius on every axis
    gaussian(v)(p) = sum of g(q - p) v(q) over |q - p| <= 2 sigma on every axis, sum of g = 1

`v` is 0 outside the grid. Both windows are symmetric, so each sum is its own adjoint. In an image
of one slice they lie in its plane.

A product with a band costs more additions than a running sum, but matrix products are what
processors do best: on a CPU it is several times faster than a convolution (`benchmarks/lncc.py`),
the width of the window costs nothing, it is exact where cumulative sums cancel, and it gives the
same bits on every run on a GPU too. To keep the matrices would save a hundredth of the time.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def box_sum(volumes: Float[Tensor, "*batch x y z"], radius: int) -> Float[Tensor, "*batch x y z"]:
    """Sum over a window of `2 radius + 1` voxels along each of the last three axes."""
    return _weigh(volumes, volumes.new_ones(radius + 1))


def gaussian_mean(
    volumes: Float[Tensor, "*batch x y z"], sigma: float
) -> Float[Tensor, "*batch x y z"]:
    """Mean under a Gaussian of `sigma` voxels that is cut at two sigma: 21 taps for a sigma of 5.

    Near the border the zeros outside count too.
    """
    distance = torch.arange(int(2 * sigma) + 1, dtype=volumes.dtype, device=volumes.device)
    weights = (distance / sigma).square_().mul_(-0.5).exp_()
    return _weigh(volumes, weights / (2 * weights.sum() - 1))  # the centre is there once


def _weigh(
    volumes: Float[Tensor, "*batch x y z"], weights: Float[Tensor, " _"]
) -> Float[Tensor, "*batch x y z"]:
    """The sum with these weights for distances 0, 1, ... along each axis, and 0 beyond them."""
    x, y, z = volumes.shape[-3:]
    rows = volumes.reshape(-1, z) @ _band(z, weights)
    planes = _band(y, weights) @ rows.view(-1, y, z)
    sums = _band(x, weights) @ planes.view(-1, x, y * z)
    return sums.view(volumes.shape)


def _band(size: int, weights: Float[Tensor, " _"]) -> Float[Tensor, "_ _"]:
    if size == 1:
        return weights.new_ones(1, 1)
    index = torch.arange(size, device=weights.device)
    distance = (index[:, None] - index).abs()
    return torch.cat([weights, weights.new_zeros(1)])[distance.clamp(max=len(weights))]
