"""The classic TransMorph in its two published shapes, for IXI and for OASIS.

The IXI variant goes on to full resolution with two skipped convolutions. The OASIS variant reads
its field at half resolution, in voxels of the full grid, and only interpolates it; it was trained
with the biased warp.

Source:
    Chen et al. (2022), TransMorph: Transformer for unsupervised medical image registration,
    Medical Image Analysis 82, doi:10.1016/j.media.2022.102615, and its repository.
"""

from typing import ClassVar, Literal, get_args

import torch
from torch import nn
from torch.nn import functional

from models.base import Fields, NetworkConfig, OtherFields, Pairs, Volumes
from models.blocks import Features, FieldHead, double
from models.checkpoint import State
from models.memory import recomputed
from models.spatial import correct_lumir_bias
from models.transmorph.decoder import DecoderBlock, conv_block
from models.transmorph.four_levels import FourLevelTransMorph
from models.transmorph.sizes import ClassicSizes, SizeName, classic_sizes


class TransMorphIxiConfig(NetworkConfig):
    """TransMorph as published for IXI; Optron and on-the-fly guidance have the same graph."""

    name: Literal["transmorph_ixi"] = "transmorph_ixi"
    sizes: ClassicSizes | SizeName = "normal"
    """A published size by its name, or one's own numbers."""

    @classmethod
    def candidates(cls, state: State) -> tuple["TransMorphIxiConfig", ...]:  # noqa: ARG003
        return tuple(cls(sizes=size) for size in get_args(SizeName))

    def network(self) -> "TransMorphIxi":
        return TransMorphIxi(self)


class TransMorphIxi(FourLevelTransMorph):
    """The field is read at full resolution."""

    def __init__(self, config: TransMorphIxiConfig) -> None:
        sizes = classic_sizes(config.sizes)
        channels, half, last = sizes.embed_dim, sizes.embed_dim // 2, sizes.head_channels
        super().__init__(sizes, checkpoint=config.checkpoint)
        self.up3 = DecoderBlock(channels, half, half)
        self.up4 = DecoderBlock(half, last, last)
        self.c1 = conv_block(2, half, nn.InstanceNorm3d(half))
        self.c2 = conv_block(2, last, nn.InstanceNorm3d(last))
        self.reg_head = nn.Sequential(FieldHead(last))
        self._checkpoint = config.checkpoint

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        self.check_grid(fixed)
        pair = torch.cat([moving, fixed], dim=1)
        features, halved = self.quarter_features(pair), functional.avg_pool3d(pair, 3, 2, 1)
        if self._checkpoint and torch.is_grad_enabled():
            return recomputed(self._read, features, halved, pair)
        return self._read(features, halved, pair)

    def _read(self, features: Features, halved: Pairs, pair: Pairs) -> OtherFields:
        """From features of the quarter grid to the field."""
        features = self.up3(double(features), self.c1(halved))
        features = self.up4(double(features), self.c2(pair))
        return self.reg_head(features)


class TransMorphOasisConfig(NetworkConfig):
    """TransMorph as published for OASIS (Learn2Reg 2021)."""

    name: Literal["transmorph_oasis"] = "transmorph_oasis"
    sizes: ClassicSizes | SizeName = "normal"
    """A published size by its name, or one's own numbers."""
    correct_bias: bool = False
    """Translate the field from the warp of the training to the scorer's, up to half a voxel."""

    @classmethod
    def candidates(cls, state: State) -> tuple["TransMorphOasisConfig", ...]:  # noqa: ARG003
        return tuple(cls(sizes=size) for size in get_args(SizeName))

    def network(self) -> "TransMorphOasis":
        return TransMorphOasis(self)


class TransMorphOasis(FourLevelTransMorph):
    """The field is read at half resolution and interpolated."""

    unused: ClassVar[tuple[str, ...]] = ("c2.",)

    def __init__(self, config: TransMorphOasisConfig) -> None:
        sizes = classic_sizes(config.sizes)
        half, last = sizes.embed_dim // 2, sizes.head_channels
        super().__init__(sizes, checkpoint=config.checkpoint)
        self.up3 = DecoderBlock(sizes.embed_dim, half, last)
        self.c1 = conv_block(2, half, nn.InstanceNorm3d(half))
        self.c2 = conv_block(2, last, nn.InstanceNorm3d(last))
        self.reg_head = nn.Sequential(FieldHead(last))
        self._checkpoint, self._correct_bias = config.checkpoint, config.correct_bias

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        self.check_grid(fixed)
        pair = torch.cat([moving, fixed], dim=1)
        features, halved = self.quarter_features(pair), functional.avg_pool3d(pair, 3, 2, 1)
        if self._checkpoint and torch.is_grad_enabled():
            field = recomputed(self._read, features, halved)
        else:
            field = self._read(features, halved)
        return correct_lumir_bias(field) if self._correct_bias else field

    def _read(self, features: Features, halved: Pairs) -> OtherFields:
        """From features of the quarter grid to the field."""
        return double(self.reg_head(self.up3(double(features), self.c1(halved))))
