"""Correlation of the features of two images, at a place and around it."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import normalize, pad

from models.networks.blocks import Features, OtherFeatures

OFFSETS = tuple(product(range(3), repeat=3))
"""Of a voxel and its neighbours, in an image that has one voxel more on every side."""
Correlation = Float[Tensor, "batch 27 x y z"]


def correlation(fixed: Features, moving: Features) -> Correlation:
    """Cosine between a voxel of the fixed image and each neighbour of it in the moving one.

    Args:
        fixed: any channels.
        moving: of the same shape; beyond its border all is zero.

    Source:
        Sun et al. (2018), PWC-Net, arXiv:1709.02371; the cosine, which does not depend on how
        strong the features are, is our choice.
    """
    found: Correlation = _Correlation.apply(  # type: ignore[no-untyped-call]
        normalize(fixed, dim=1, eps=1e-3).contiguous(),  # channels apart: five times as fast back
        normalize(moving, dim=1, eps=1e-3).contiguous(),
    )
    return found


class _Correlation(Function):
    """Written by hand because autograd would keep a product of all features per neighbour."""

    @staticmethod
    def forward(context: Any, fixed: Features, moving: Features) -> Correlation:
        """Sums over the channels of products, one per neighbour."""
        around = pad(moving, (1,) * 6)
        context.save_for_backward(fixed, around)
        found = fixed.new_empty(len(fixed), len(OFFSETS), *fixed.shape[2:])
        both = torch.empty_like(fixed)
        for number, offset in enumerate(OFFSETS):
            torch.mul(fixed, _shifted(around, offset), out=both)
            torch.sum(both, 1, out=found[:, number])
        return found

    @staticmethod
    def backward(context: Any, *gradients: Correlation) -> tuple[Features, Features]:
        """Each image's gradient is the other image, weighed by that of the correlation."""
        fixed, around = context.saved_tensors
        of_fixed, of_around = torch.zeros_like(fixed), torch.zeros_like(around)
        of_correlation = gradients[0].contiguous()
        for number, offset in enumerate(OFFSETS):
            gradient = of_correlation[:, number : number + 1]
            of_fixed.addcmul_(gradient, _shifted(around, offset))
            _shifted(of_around, offset).addcmul_(gradient, fixed)
        return of_fixed, _shifted(of_around, (1, 1, 1))


def _shifted(around: Features, offset: Sequence[int]) -> OtherFeatures:
    """As large as the image without its border of one voxel, but begun elsewhere."""
    for axis, start in enumerate(offset, start=2):
        around = around.narrow(axis, start, around.shape[axis] - 2)
    return around
