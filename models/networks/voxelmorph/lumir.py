"""VoxelMorph as LUMIR and on-the-fly guidance use it, and what it shares with the official one.

    pair --> 1/2 --> 1/4 --> 1/8 --> 1/16     the encoder: a strided convolution per level
     |        |       |       |        |
     +-> 1/1 <- 1/2 <- 1/4 <- 1/8 <-- 1/16    the decoder: join what was skipped, convolve, double

Source:
    Balakrishnan et al. (2018), CVPR, doi:10.1109/CVPR.2018.00964, arXiv:1802.02604; Balakrishnan
    et al. (2019), IEEE Transactions on Medical Imaging 38(8), doi:10.1109/TMI.2019.2897538,
    arXiv:1809.05231. Baselines of LUMIR (Learn2Reg 2024) and of on-the-fly guidance,
    arXiv:2308.15216.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field, PositiveInt
from torch import nn

from models.networks.base import NetworkConfig, RegistrationModel
from models.networks.blocks import (
    ConvBlock,
    Dimensions,
    Features,
    FieldHead,
    JoinBlock,
    OtherFeatures,
    grid_rule,
)
from models.networks.recompute import recomputed
from models.types import Fields, OtherFields, Pairs, Volumes

FourWidths: TypeAlias = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
OneOrMore: TypeAlias = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class UnetConfig(NetworkConfig):
    """Channels that the convolutions give, in the order of the computation."""

    encoder: FourWidths = (16, 32, 32, 32)
    decoder: FourWidths = (32, 32, 32, 32)
    """From 1/16 to 1/2 of the resolution."""
    extras: OneOrMore = (32, 16, 16)
    """At full resolution, before the convolution that gives the field."""
    dimensions: Dimensions = 3


class VoxelMorph1Config(UnetConfig):
    """VoxelMorph-1, the smaller one; on-the-fly guidance has it too."""

    name: Literal["voxelmorph_1"] = "voxelmorph_1"
    encoder: FourWidths = (8, 32, 32, 32)
    extras: OneOrMore = (32, 8, 8)

    def build(self) -> "VoxelMorph":
        return VoxelMorph(self)


class VoxelMorph2Config(UnetConfig):
    """VoxelMorph-2, the baseline of LUMIR."""

    name: Literal["voxelmorph_2"] = "voxelmorph_2"

    def build(self) -> "VoxelMorph":
        return VoxelMorph(self)


def decoder_blocks(
    config: UnetConfig, skipped: FourWidths
) -> tuple[list[nn.Module], list[nn.Module]]:
    """The blocks up to half the resolution, and those at full resolution.

    Args:
        config: the channels.
        skipped: channels that are skipped to 1/8, 1/4, 1/2 and full resolution.
    """
    sizes = (*config.decoder, config.extras[0])
    *joins, last = [
        JoinBlock(before, skip, after, config.dimensions)
        for (before, after), skip in zip(pairwise(sizes), skipped, strict=True)
    ]
    others = [
        ConvBlock(before, after, dimensions=config.dimensions)
        for before, after in pairwise(config.extras)
    ]
    coarsest = ConvBlock(config.encoder[-1], sizes[0], dimensions=config.dimensions)
    return [coarsest, *joins], [last, *others]


def decode(
    blocks: Iterable[nn.Module], features: OtherFeatures, skipped: Iterable[Features]
) -> OtherFeatures:
    """One block after the other; each `JoinBlock` takes the next of those skipped."""
    unused = iter(skipped)
    for block in blocks:
        joins = isinstance(block, JoinBlock)
        features = block(features, next(unused)) if joins else block(features)
    return features


class Unet(nn.Module, ABC):
    """From both images to features, in two parts because the second takes most of the memory."""

    @abstractmethod
    def forward(self, pair: Pairs) -> tuple[OtherFeatures, Features]:
        """Features of half the resolution, and those that are skipped to full resolution."""

    @abstractmethod
    def finish(self, coarse: OtherFeatures, skipped: Features) -> Features:
        """From them to features of full resolution."""


class StridedUnet(Unet):
    """The convolutions of the encoder halve the resolution; the images themselves are skipped."""

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        a, b, c, _ = config.encoder
        steps = pairwise((2, *config.encoder))
        self.downarm = nn.ModuleList(
            ConvBlock(*step, stride=2, dimensions=config.dimensions) for step in steps
        )
        up, extras = decoder_blocks(config, (c, b, a, 2))
        self.uparm, self.extras = nn.ModuleList(up), nn.ModuleList(extras)

    def forward(self, pair: Pairs) -> tuple[OtherFeatures, Features]:
        """Features of half the resolution, and the images themselves."""
        levels = [pair]
        for block in self.downarm:
            levels.append(block(levels[-1]))
        *skipped, coarsest = levels[1:]
        return decode(self.uparm, coarsest, reversed(skipped)), pair

    def finish(self, coarse: OtherFeatures, skipped: Features) -> Features:
        return decode(self.extras, coarse, [skipped])


class UnetModel(RegistrationModel):
    """A U-Net and the convolution that reads a field from its features."""

    def __init__(self, unet: Unet, config: UnetConfig) -> None:
        super().__init__()
        self.grid = grid_rule(16, config.dimensions)  # four halvings
        self.unet_model = unet
        self.flow = FieldHead(config.extras[-1], config.dimensions)
        self._recompute = config.recompute

    def read(self, fixed: Volumes, moving: Volumes) -> Fields:
        """The field at full resolution as the last convolution gives it."""
        self.check_grid(fixed)
        coarse, skipped = self.unet_model(torch.cat([moving, fixed], dim=1))
        return recomputed(self._finish, coarse, skipped, when=self._recompute)

    def _finish(self, coarse: OtherFeatures, skipped: Features) -> OtherFields:
        return self.flow(self.unet_model.finish(coarse, skipped))


class VoxelMorph(UnetModel):
    """The field is the displacement itself; nothing keeps it from folding but its training."""

    def __init__(self, config: UnetConfig) -> None:
        super().__init__(StridedUnet(config), config)

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        return self.read(fixed, moving)
