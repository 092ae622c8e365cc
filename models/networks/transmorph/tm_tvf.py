"""TransMorph with a time-varying velocity field, the network of the paper.

Four levels; every time step looks at the images at half resolution and predicts a velocity there.
The sum of the carried velocities counts as voxels of the full grid and is only interpolated. Its
warps, inside the loop and in training, are the biased ones.

Source:
    Chen et al., TM-TVF and TM-TVF-LDDMM, github.com/junyuchen245/TransMorph_TVF; the two differ in
    the number of time steps and in how they are trained, not in the graph.
"""

from typing import Literal

import torch
from pydantic import PositiveInt, model_validator
from torch import nn

from models.networks.base import VelocityModel
from models.networks.blocks import FieldHead
from models.networks.transmorph.decoder import DecoderBlock, conv_block, halved
from models.networks.transmorph.four_levels import FourLevelConfig, FourLevelTransMorph
from models.networks.transmorph.read_sizes import classic_sizes_in
from models.networks.transmorph.sizes import ClassicSizes, SizeName
from models.networks.transmorph.velocities import (
    Integration,
    VelocityStep,
    follow_velocities,
    inverse_displacement,
    refuse_bias_of_printed,
)
from models.spatial.warp import correct_lumir_bias
from models.types import Fields, OtherFields, State, Volumes


class TimeVaryingConfig(FourLevelConfig):
    """A network that follows one velocity after the other."""

    sizes: ClassicSizes | SizeName = "large"
    time_steps: PositiveInt
    """Velocities that are predicted one after the other and added up."""
    integration: Integration = "published"
    """How velocities add up; `printed` for weights that are trained so."""
    correct_bias: bool = False
    """Translate the fields from the warp of the training to the scorer's, up to half a voxel."""

    @model_validator(mode="after")
    def _bias_is_there(self) -> "TimeVaryingConfig":
        refuse_bias_of_printed(self.integration, correct_bias=self.correct_bias)
        return self

    @classmethod
    def candidates(cls, state: State) -> tuple["TimeVaryingConfig", ...]:
        """The sizes that the state has, or all published ones, with a time step per head."""
        heads = {name.split(".")[1] for name in state if name.startswith("reg_heads.")}
        steps = {"time_steps": len(heads)} if heads else {}
        return tuple(cls(sizes=size, **steps) for size in classic_sizes_in(state))

    def build(self) -> "TmTvf":
        return TmTvf(self)


class TmTvfConfig(TimeVaryingConfig):
    """TM-TVF; the published weights are large and have twelve steps."""

    name: Literal["tm_tvf"] = "tm_tvf"
    time_steps: PositiveInt = 12


class TmTvfLddmmConfig(TimeVaryingConfig):
    """TM-TVF-LDDMM, trained as a geodesic flow; the published weights are large, of eight steps."""

    name: Literal["tm_tvf_lddmm"] = "tm_tvf_lddmm"
    time_steps: PositiveInt = 8


class TmTvf(FourLevelTransMorph, VelocityModel):
    """Velocities at half the resolution, one after the other."""

    def __init__(self, config: TimeVaryingConfig) -> None:
        super().__init__(config)
        channels, last = self._sizes.embed_dim, self._sizes.head_channels
        half, steps = channels // 2, range(config.time_steps)
        dimensions = config.dimensions
        self.reg_heads = nn.ModuleList(nn.Sequential(FieldHead(last, dimensions)) for _ in steps)
        self.up3s = nn.ModuleList(DecoderBlock(channels, half, last, dimensions) for _ in steps)
        self.cs = nn.ModuleList(
            conv_block(2, half, nn.InstanceNorm3d(half), dimensions) for _ in steps
        )
        self._correct_bias, self._integration = config.correct_bias, config.integration

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        return self.forward_with_velocities(fixed, moving)[0]

    def forward_with_velocities(
        self, fixed: Volumes, moving: Volumes
    ) -> tuple[OtherFields, list[OtherFields]]:
        field, velocities = self.velocities(fixed, moving)
        return self._on_full_grid(field), velocities

    def forward_and_inverse(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, Fields]:
        """Field and inverse; of the published integration an inverse only roughly."""
        field, velocities = self.forward_with_velocities(fixed, moving)
        return field, self._on_full_grid(inverse_displacement(velocities, self._integration))

    def velocities(self, fixed: Volumes, moving: Volumes) -> tuple[OtherFields, list[OtherFields]]:
        """On the half grid: where the velocities lead, and the velocities as predicted."""
        self.check_grid(fixed)
        pair = torch.cat([moving, fixed], dim=1)
        features = self.doubled(self.quarter_features(pair))
        coarse = halved(pair, self._dimensions)
        parts = zip(self.cs, self.up3s, self.reg_heads, strict=True)
        return follow_velocities(
            [VelocityStep(*part) for part in parts],
            features,
            fixed=coarse[:, 1:],
            moving=coarse[:, :1],
            recompute=self._recompute,
            integration=self._integration,
        )

    def _on_full_grid(self, coarse: Fields) -> OtherFields:
        field = self.doubled(coarse)
        return correct_lumir_bias(field) if self._correct_bias else field
