"""Parts that several networks have."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Features = Float[Tensor, "batch _ x y z"]


class FieldHead(nn.Conv3d):
    """The last convolution, from features to displacements or velocities in voxels.

    Almost zero before training, so that a network starts at rest. It computes in single precision
    at least, under `torch.autocast` too: half precision holds three decimals, and displacements of
    ten voxels would be rounded to 1/16 voxel.
    """

    def __init__(self, channels: int, *, std: float = 1e-5) -> None:
        super().__init__(channels, 3, 3, padding=1)
        nn.init.normal_(self.weight, std=std)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, features: Features) -> Float[Tensor, "batch 3 x y z"]:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.to(self.weight.dtype))


def double(features: Features) -> Float[Tensor, "batch _ _ _ _"]:
    """Twice the resolution, trilinear between voxels seen as areas; values stay as they are."""
    return functional.interpolate(features, scale_factor=2, mode="trilinear")


def conv_stacked(conv: nn.Conv3d, first: Features, second: Features) -> Features:
    """`conv(cat(first, second))` without the stack, the largest tensor that there would be."""
    channels = first.shape[1]
    partial = functional.conv3d(first, conv.weight[:, :channels], conv.bias, padding=conv.padding)
    rest = functional.conv3d(second, conv.weight[:, channels:], padding=conv.padding)
    return partial.add_(rest)
