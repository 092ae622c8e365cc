"""Parts that several networks have."""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from l2r.arrays import Shape
from l2r.grid import GridRule

Features = Float[Tensor, "batch _ x y z"]
OtherFeatures = Float[Tensor, "batch _ _ _ _"]
"""Features on another grid than the arguments of the function that gives or takes them."""


Dimensions: TypeAlias = Literal[2, 3]
"""Two: the network works on images of one slice, and all its kernels are one voxel thick."""


def sides(size: int, dimensions: Dimensions) -> Shape:
    """A kernel's or a stride's size along each axis, 1 along the third in two dimensions."""
    return (size, size, size if dimensions == 3 else 1)


def margins(size: int, dimensions: Dimensions) -> Shape:
    """Padding along each axis, none along the third in two dimensions."""
    return (size, size, size if dimensions == 3 else 0)


def grid_rule(multiple: int, dimensions: Dimensions) -> GridRule:
    """Grids of a network that halves its features until one stands for `multiple` voxels."""
    return GridRule(multiple, slices="padded" if dimensions == 3 else "only")


class FieldHead(nn.Conv3d):
    """The last convolution, from features to displacements or velocities in voxels.

    Almost zero before training, so that a network starts at rest. It computes in single precision
    at least, under `torch.autocast` too: half precision holds three decimals, and displacements of
    ten voxels would be rounded to 1/16 voxel. In two dimensions it has two components, and the
    third one is zero.
    """

    def __init__(self, channels: int, dimensions: Dimensions = 3, *, std: float = 1e-5) -> None:
        kernel, padding = sides(3, dimensions), margins(1, dimensions)
        super().__init__(channels, dimensions, kernel, padding=padding)
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
                field = super().forward(features.to(dtype))
            else:
                field = conv_stacked(self, features.to(dtype), skipped.to(dtype))
        return field if self.out_channels == 3 else torch.cat([field, 0 * field[:, :1]], dim=1)


def double(
    features: Features,
    mode: Literal["trilinear", "nearest"] = "trilinear",
    dimensions: Dimensions = 3,
) -> Float[Tensor, "batch _ _ _ _"]:
    """Twice the resolution, voxels seen as areas; values stay as they are."""
    factor = 2.0 if dimensions == 3 else (2.0, 2.0, 1.0)
    return functional.interpolate(features, scale_factor=factor, mode=mode)


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
    """3x3x3 convolution (3x3 in a plane) and leaky rectifier, as VoxelMorph has them."""

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, dimensions: Dimensions = 3
    ) -> None:
        super().__init__()
        kernel, step = sides(3, dimensions), sides(stride, dimensions)
        self.main = nn.Conv3d(inputs, outputs, kernel, step, margins(1, dimensions))

    def forward(self, features: Features) -> OtherFeatures:
        return functional.leaky_relu_(self.main(features), 0.2)


class JoinBlock(nn.Module):
    """A `ConvBlock` over features of half the resolution (nearest voxel) and those skipped."""

    def __init__(self, inputs: int, skipped: int, outputs: int, dimensions: Dimensions = 3) -> None:
        super().__init__()
        kernel, padding = sides(3, dimensions), margins(1, dimensions)
        self.main = nn.Conv3d(inputs + skipped, outputs, kernel, padding=padding)
        self._dimensions: Dimensions = dimensions

    def forward(self, coarse: OtherFeatures, skipped: Features) -> Features:
        features = conv_stacked(self.main, double(coarse, "nearest", self._dimensions), skipped)
        return functional.leaky_relu_(features, 0.2)
