"""TransMorph of the LUMIR challenge: three levels, seven time steps, at half the resolution."""

from typing import ClassVar, Literal

import torch
from pydantic import ValidationError, model_validator
from torch import nn
from torch.nn import functional

from l2r.grid import GridRule
from models.networks.base import NetworkConfig, VelocityModel
from models.networks.blocks import FieldHead, double
from models.networks.transmorph.decoder import DecoderBlock, conv_block, halved
from models.networks.transmorph.read_sizes import sizes_in
from models.networks.transmorph.sizes import LumirSizes
from models.networks.transmorph.swin import SwinEncoder
from models.networks.transmorph.velocities import (
    Integration,
    VelocityStep,
    follow_velocities,
    inverse_displacement,
    refuse_bias_of_printed,
)
from models.spatial.warp import correct_lumir_bias, upsample_field
from models.types import Fields, OtherFields, State, Volumes


class TransMorphLumirConfig(NetworkConfig):
    """TransMorph of the LUMIR challenge, with the published or one's own weights."""

    name: Literal["transmorph_lumir"] = "transmorph_lumir"
    sizes: LumirSizes = LumirSizes()
    integration: Integration = "published"
    """How velocities add up; `printed` for weights that are trained so."""
    correct_bias: bool = False
    """Translate the field from the warp of the training to the scorer's, up to half a voxel.

    Leave it off to report the published network faithfully, its fields were scored as they came;
    on, the scorer sees what the network meant. See `models.spatial.warp.correct_lumir_bias`.
    """

    @model_validator(mode="after")
    def _bias_is_there(self) -> "TransMorphLumirConfig":
        refuse_bias_of_printed(self.integration, correct_bias=self.correct_bias)
        return self

    @classmethod
    def candidates(cls, state: State) -> tuple["TransMorphLumirConfig", ...]:
        """The sizes that the state has, or the published ones."""
        steps = len({name.split(".")[1] for name in state if name.startswith("reg_heads.")})
        try:
            found = {**(sizes_in(state) or {}), "time_steps": steps}
            return (cls(sizes=LumirSizes.model_validate(found)),)
        except ValidationError:
            return (cls(),)

    def build(self) -> "TransMorphLumir":
        return TransMorphLumir(self)


class TransMorphLumir(VelocityModel):
    """An encoder of both images, a decoder, and a loop of time steps, at half the resolution.

    Source:
        Chen et al., the baseline of LUMIR (Learn2Reg 2024), github.com/JHU-MedImage-Reg/LUMIR_L2R.
    """

    grid = GridRule(32)
    """Half resolution, tokens of four voxels, two mergings of tokens: 2 * 4 * 2 * 2."""
    unused: ClassVar[tuple[str, ...]] = ("reg_head.",)

    def __init__(self, config: TransMorphLumirConfig) -> None:
        super().__init__()
        sizes, channels = config.sizes, config.sizes.embed_dim
        half, last, steps = channels // 2, sizes.head_channels, range(sizes.time_steps)
        self.transformer = SwinEncoder(sizes, recompute=config.recompute)
        self.up0 = DecoderBlock(4 * channels, 2 * channels, 2 * channels)
        self.up1 = DecoderBlock(2 * channels, channels, channels)
        self.up2 = DecoderBlock(channels, half, half)
        self.c1 = conv_block(2, half, nn.BatchNorm3d(half))
        self.cs = nn.ModuleList(conv_block(2, half, nn.BatchNorm3d(half)) for _ in steps)
        self.up3s = nn.ModuleList(DecoderBlock(half, half, last) for _ in steps)
        self.reg_heads = nn.ModuleList(nn.Sequential(FieldHead(last)) for _ in steps)
        self.reg_head = nn.Sequential(FieldHead(last))
        self._recompute, self._correct_bias = config.recompute, config.correct_bias
        self._integration = config.integration

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels of the full grid, intensities in [0, 1]."""
        return self.forward_with_velocities(fixed, moving)[0]

    def forward_with_velocities(
        self, fixed: Volumes, moving: Volumes
    ) -> tuple[OtherFields, list[OtherFields]]:
        self.check_grid(fixed)
        coarse, velocities = self.half_velocities(
            functional.avg_pool3d(fixed, 2), functional.avg_pool3d(moving, 2)
        )
        return self._on_full_grid(coarse), velocities

    def forward_and_inverse(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, Fields]:
        """Field and inverse; of the published integration an inverse only roughly."""
        field, velocities = self.forward_with_velocities(fixed, moving)
        return field, self._on_full_grid(inverse_displacement(velocities, self._integration))

    def half_field(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels of the half grid, from images on that grid."""
        return self.half_velocities(fixed, moving)[0]

    def half_velocities(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, list[Fields]]:
        """The same with the velocities that lead to it."""
        pair = torch.cat([moving, fixed], dim=1)
        fine, middle, coarse = self.transformer(pair)
        skipped = self.c1(halved(pair))
        features = self.up0(double(coarse), middle)
        features = self.up1(double(features), fine)
        features = self.up2(double(features), skipped)
        parts = zip(self.cs, self.up3s, self.reg_heads, strict=True)
        steps = [VelocityStep(*part) for part in parts]
        return follow_velocities(
            steps,
            double(features),
            fixed,
            moving,
            recompute=self._recompute,
            integration=self._integration,
        )

    def _on_full_grid(self, coarse: Fields) -> OtherFields:
        field = upsample_field(coarse)
        return correct_lumir_bias(field) if self._correct_bias else field
