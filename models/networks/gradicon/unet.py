"""The residual U-Net that predicts one displacement map of a registration.

Source:
    Tian et al. (2023), GradICON: approximate diffeomorphisms via gradient inverse consistency,
    arXiv:2206.05897. Its parameters have the published names.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional

from l2r.schema import Frozen
from models.networks.blocks import Features, FieldHead, OtherFeatures, double
from models.types import Fields, Volumes

PART = 0.1
"""Of what the last convolution gives, the displacement."""


class UNetSizes(Frozen):
    """Sizes of a U-Net, its finest level first; the defaults are those of uniGradICON."""

    down: tuple[PositiveInt, ...] = Field(default=(16, 32, 64, 256, 512), min_length=1)
    """Features on the way down, at 1/2, 1/4, ... of the resolution."""
    up: tuple[PositiveInt, ...] = (16, 32, 64, 128, 256)
    """Features on the way up, at 1/1, 1/2, ... of the resolution."""

    @model_validator(mode="after")
    def _as_many_up_as_down(self) -> "UNetSizes":
        if len(self.down) != len(self.up):
            raise ValueError(f"{len(self.down)} levels down but {len(self.up)} levels up")
        return self


class UNet(nn.Module):
    """Every level adds what it computes to what it was given, at half or twice the resolution.

    Axes of odd length are rounded up on the way down and cut on the way up. Where the images are
    halved the last time, every axis must still have two voxels.
    """

    def __init__(self, sizes: UNetSizes) -> None:
        super().__init__()
        levels = zip(sizes.down, (*sizes.up[1:], 0), sizes.up, strict=True)
        self.downConvs = nn.ModuleList(
            nn.Conv3d(inputs, outputs, 3, stride=2, padding=1)
            for inputs, outputs in pairwise((2, *sizes.down))
        )
        self.upConvs = nn.ModuleList(
            nn.ConvTranspose3d(skipped + below, outputs, 4, stride=2, padding=1)
            for skipped, below, outputs in levels
        )
        self.batchNorms = nn.ModuleList(nn.BatchNorm3d(channels) for channels in sizes.up)
        self.lastConv = FieldHead(sizes.up[0] + 2, std=0.0)

    def forward(self, moving: Volumes, fixed: Volumes) -> Fields:
        """A displacement in coordinates, see `models.spatial.coordinate_maps`."""
        pair = torch.cat([moving, fixed], dim=1)
        skipped, features = [], pair
        for conv in self.downConvs:
            skipped.append(features)
            features = _halved(conv, features)
        for level in reversed(range(len(skipped))):
            x, y, z = skipped[level].shape[2:]
            features = self.batchNorms[level](_doubled(self.upConvs[level], features))
            features = features[..., :x, :y, :z]
            if level > 0:
                features = torch.cat([features, skipped[level]], dim=1)
        return PART * self.lastConv(features, pair)


def _halved(conv: nn.Module, features: Features) -> OtherFeatures:
    """Convolve features at half their resolution, and add the mean of what they were."""
    computed = conv(functional.leaky_relu(features))
    given = functional.avg_pool3d(features, 2, ceil_mode=True)
    return computed.add_(_fitted(given, computed.shape[1]))


def _doubled(conv: nn.Module, features: Features) -> OtherFeatures:
    """Convolve features at twice their resolution, and add them interpolated."""
    computed = conv(functional.leaky_relu(features))
    return computed.add_(double(_fitted(features, computed.shape[1])))


def _fitted(features: Features, channels: int) -> Float[Tensor, "batch _ x y z"]:
    """The first `channels` channels; if there are fewer, channels of zeros come before them."""
    fewer = max(channels - features.shape[1], 0)
    return functional.pad(features[:, :channels], (0, 0, 0, 0, 0, 0, fewer, 0))
