"""TransMorph of the LUMIR challenge: a pair of volumes in, one displacement field out."""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from models.base import Fields, RegistrationModel, Volumes
from models.spatial import correct_lumir_bias, upsample_field
from models.transmorph.config import TransMorphLumirConfig
from models.transmorph.swin import SwinEncoder, WindowAttention
from models.transmorph.tvf import (
    DecoderBlock,
    VelocityStep,
    add_up_velocities,
    conv_block,
    double,
)


class TransMorphLumir(RegistrationModel):
    """An encoder of both images, a decoder, and a loop of time steps, at half the resolution.

    `reg_head` belongs to the published weights but takes no part; it never has a gradient.
    """

    grid_multiple: ClassVar[int] = 32
    """Half resolution, tokens of four voxels, two mergings of tokens: 2 * 4 * 2 * 2."""

    def __init__(self, config: TransMorphLumirConfig) -> None:
        super().__init__()
        sizes, channels = config.sizes, config.sizes.embed_dim
        half, last, steps = channels // 2, sizes.head_channels, range(sizes.time_steps)
        self.transformer = SwinEncoder(sizes, checkpoint=config.checkpoint)
        self.up0 = DecoderBlock(4 * channels, 2 * channels, 2 * channels)
        self.up1 = DecoderBlock(2 * channels, channels, channels)
        self.up2 = DecoderBlock(channels, half, half)
        self.c1 = conv_block(2, half, nn.BatchNorm3d(half))
        self.cs = nn.ModuleList(conv_block(2, half, nn.BatchNorm3d(half)) for _ in steps)
        self.up3s = nn.ModuleList(DecoderBlock(half, half, last) for _ in steps)
        self.reg_heads = nn.ModuleList(_head(last) for _ in steps)
        self.reg_head = _head(last)
        self._checkpoint, self._correct_bias = config.checkpoint, config.correct_bias
        self.transformer.apply(_initialise)

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels of the full grid, intensities in [0, 1]."""
        if any(size % self.grid_multiple for size in fixed.shape[2:]):
            raise ValueError(
                f"axes must be multiples of {self.grid_multiple}, got {tuple(fixed.shape[2:])}"
            )
        coarse = self.half_field(functional.avg_pool3d(fixed, 2), functional.avg_pool3d(moving, 2))
        field = upsample_field(coarse)
        return correct_lumir_bias(field) if self._correct_bias else field

    def half_field(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels of the half grid, from images on that grid."""
        pair = torch.cat([moving, fixed], dim=1)
        fine, middle, coarse = self.transformer(pair)
        skipped = self.c1(functional.avg_pool3d(pair, 3, stride=2, padding=1))
        features = self.up0(double(coarse), middle)
        features = self.up1(double(features), fine)
        features = self.up2(double(features), skipped)
        parts = zip(self.cs, self.up3s, self.reg_heads, strict=True)
        return add_up_velocities(
            [VelocityStep(*part) for part in parts],
            double(features),
            fixed,
            moving,
            checkpoint=self._checkpoint,
        )


def _head(channels: int) -> nn.Sequential:
    """Velocity from features, almost zero before training, so that a network starts at rest."""
    conv = nn.Conv3d(channels, 3, 3, padding=1)
    nn.init.normal_(conv.weight, std=1e-5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return nn.Sequential(conv)


def _initialise(module: nn.Module) -> None:
    """Small normal weights for what is linear, as is usual for transformers."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
