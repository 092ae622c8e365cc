"""Sampling a field whose gradient has the same bits on every run, on a GPU too.

torch adds up the gradient of the sampled image with atomic additions there, in an order that
changes from run to run. `index_put_` sorts before it adds.
"""

from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.spatial.warp import sampling_grid
from models.types import Fields

LINEAR, BORDER = 0, 1
"""How torch numbers its modes of interpolation and of padding."""


def sample_repeatably(image: Fields, field: Fields) -> Fields:
    """`warp(image, field, padding="border")`, for a batch of one."""
    sampled: Fields = _Sample.apply(image, sampling_grid(field), field)  # type: ignore[no-untyped-call]
    return sampled


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Fields, grid: Tensor, field: Fields) -> Fields:
        ctx.save_for_backward(image, grid, field)
        return functional.grid_sample(image, grid, "bilinear", "border", align_corners=True)

    @staticmethod
    def backward(ctx: Any, gradient: Fields) -> tuple[Tensor, Tensor, None]:
        image, grid, field = ctx.saved_tensors
        modes = (LINEAR, BORDER, True)
        _, by_grid = torch.ops.aten.grid_sampler_3d_backward(
            gradient, image, grid, *modes, (False, True)
        )
        return _spread(gradient, field), by_grid, None


def _spread(gradient: Fields, field: Fields) -> Fields:
    """The adjoint of sampling: every value goes to the eight voxels that it came from."""
    sizes = field.shape[2:]
    places = [_places(field, axis) for axis in range(3)]
    values = gradient[0].reshape(3, -1).T
    total = torch.zeros_like(values)
    for corner in product((0, 1), repeat=3):
        index = torch.zeros_like(places[0][0])
        weight = torch.ones_like(places[0][1])
        for (floor, fraction), upper, size in zip(places, corner, sizes, strict=True):
            index = index * size + (floor + upper).clamp(max=size - 1)
            weight = weight * (fraction if upper else 1 - fraction)
        total.index_put_((index,), weight[:, None] * values, accumulate=True)
    return total.T.reshape(gradient.shape)


def _places(field: Fields, axis: int) -> tuple[Tensor, Float[Tensor, " voxels"]]:
    size = field.shape[2 + axis]
    index = torch.arange(size, device=field.device, dtype=field.dtype)
    index = index.view([size if other == axis else 1 for other in range(3)])
    place = (index + field[0, axis]).clamp(0, size - 1).flatten()
    return place.floor().long(), place - place.floor()
