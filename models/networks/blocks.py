"""Parts that several networks have."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Features = Float[Tensor, "batch _ x y z"]
OtherFeatures = Float[Tensor, "batch _ _ _ _"]
"""Features on another grid than the arguments of the function that gives or takes them."""


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

    def forward(
        self, features: Features, skipped: Features | None = None
    ) -> Float[Tensor, "batch 3 x y z"]:
        """From `features`, or from `cat(features, skipped)`."""
        dtype = self.weight.dtype
        with torch.autocast(features.device.type, enabled=False):
            if skipped is None:
                return super().forward(features.to(dtype))
            return conv_stacked(self, features.to(dtype), skipped.to(dtype))


def double(
    features: Features, mode: Literal["trilinear", "nearest"] = "trilinear"
) -> Float[Tensor, "batch _ _ _ _"]:
    """Twice the resolution, voxels seen as areas; values stay as they are."""
    return functional.interpolate(features, scale_factor=2.0, mode=mode)


def conv_stacked(conv: nn.Conv3d, first: Features, second: Features) -> Features:
    """`conv(cat(first, second))` without the stack, the largest tensor that there would be.

    Give `first` without keeping it: it is let go as soon as it has been convolved.
    """
    channels = first.shape[1]
    partial = functional.conv3d(first, conv.weight[:, :channels], conv.bias, padding=conv.padding)
    del first
    rest = functional.conv3d(second, conv.weight[:, channels:], padding=conv.padding)
    return partial.add_(rest)


class ConvBlock(nn.Module):
    """3x3x3 convolution and leaky rectifier, as VoxelMorph has them."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.main = nn.Conv3d(inputs, outputs, 3, stride, padding=1)

    def forward(self, features: Features) -> OtherFeatures:
        return functional.leaky_relu_(self.main(features), 0.2)


class JoinBlock(nn.Module):
    """A `ConvBlock` over features of half the resolution (nearest voxel) and those skipped."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Conv3d(inputs + skipped, outputs, 3, padding=1)

    def forward(self, coarse: OtherFeatures, skipped: Features) -> Features:
        features = conv_stacked(self.main, double(coarse, "nearest"), skipped)
        return functional.leaky_relu_(features, 0.2)
