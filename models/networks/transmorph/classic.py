"""The classic TransMorph in its two published shapes, for IXI and for OASIS.

The IXI variant goes on to full resolution with two skipped convolutions. The OASIS variant reads
its field at half resolution, in voxels of the full grid, and only interpolates it; it was trained
with the biased warp.

Source:
    Chen et al. (2022), TransMorph: Transformer for unsupervised medical image registration,
    Medical Image Analysis 82, doi:10.1016/j.media.2022.102615, and its repository.
"""

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import nn

from models.networks.blocks import Features, FieldHead
from models.networks.recompute import recomputed
from models.networks.transmorph.decoder import DecoderBlock, conv_block, halved
from models.networks.transmorph.four_levels import FourLevelConfig, FourLevelTransMorph
from models.spatial.warp import correct_lumir_bias
from models.types import Fields, OtherFields, Pairs, Volumes


class TransMorphIxiConfig(FourLevelConfig):
    """TransMorph as published for IXI; Optron and on-the-fly guidance have the same graph."""

    name: Literal["transmorph_ixi"] = "transmorph_ixi"

    def build(self) -> "TransMorphIxi":
        return TransMorphIxi(self)


class TransMorphOasisConfig(FourLevelConfig):
    """TransMorph as published for OASIS (Learn2Reg 2021)."""

    name: Literal["transmorph_oasis"] = "transmorph_oasis"
    correct_bias: bool = False
    """Translate the field from the warp of the training to the scorer's, up to half a voxel."""

    def build(self) -> "TransMorphOasis":
        return TransMorphOasis(self)


class ClassicTransMorph(FourLevelTransMorph):
    """A decoder with convolutions of the images skipped to it, and one field at its end."""

    def __init__(self, config: FourLevelConfig) -> None:
        super().__init__(config)
        half, last = self._sizes.embed_dim // 2, self._sizes.head_channels
        self.c1 = conv_block(2, half, nn.InstanceNorm3d(half), config.dimensions)
        self.c2 = conv_block(2, last, nn.InstanceNorm3d(last), config.dimensions)
        self.reg_head = nn.Sequential(FieldHead(last, config.dimensions))

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        self.check_grid(fixed)
        pair = torch.cat([moving, fixed], dim=1)
        return recomputed(self.read, self.quarter_features(pair), pair, when=self._recompute)

    @abstractmethod
    def read(self, features: Features, pair: Pairs) -> OtherFields:
        """The field from features of the quarter grid and from the images."""


class TransMorphIxi(ClassicTransMorph):
    """The field is read at full resolution."""

    def __init__(self, config: TransMorphIxiConfig) -> None:
        super().__init__(config)
        channels, last = self._sizes.embed_dim, self._sizes.head_channels
        self.up3 = DecoderBlock(channels, channels // 2, channels // 2, config.dimensions)
        self.up4 = DecoderBlock(channels // 2, last, last, config.dimensions)

    def read(self, features: Features, pair: Pairs) -> OtherFields:
        """The field from features of the quarter grid and from the images."""
        features = self.up3(self.doubled(features), self.c1(halved(pair, self._dimensions)))
        return self.reg_head(self.up4(self.doubled(features), self.c2(pair)))


class TransMorphOasis(ClassicTransMorph):
    """The field is read at half resolution and interpolated."""

    unused: ClassVar[tuple[str, ...]] = ("c2.",)

    def __init__(self, config: TransMorphOasisConfig) -> None:
        super().__init__(config)
        channels, last = self._sizes.embed_dim, self._sizes.head_channels
        self.up3 = DecoderBlock(channels, channels // 2, last, config.dimensions)
        self._correct_bias = config.correct_bias

    def read(self, features: Features, pair: Pairs) -> OtherFields:
        """The field from features of the quarter grid and from the images."""
        features = self.up3(self.doubled(features), self.c1(halved(pair, self._dimensions)))
        field = self.doubled(self.reg_head(features))
        return correct_lumir_bias(field) if self._correct_bias else field
