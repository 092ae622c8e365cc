"""A pyramid: both images are described alike, then matched from coarse to fine.

    fixed  --> 1/2 --> 1/4 --> 1/8 --> 1/16      one encoder for both images
                |       |       |       |
    field  <-- 1/2 <-- 1/4 <-- 1/8 <-- 1/16      a residual velocity per level
                |       |       |       |
    moving --> 1/2 --> 1/4 --> 1/8 --> 1/16

At each level the features of the moving image are warped by the field so far and compared with the
fixed ones, in place and one voxel to every side; from that two convolutions read a velocity, whose
flow is composed with the field. So each level looks for a small rest only, and what it learns about
likeness does not depend on the place: it learns from few images and in little time.

Source:
    Our own composition of known parts. Residual matching of warped features from coarse to fine:
    Sun et al. (2018), PWC-Net, arXiv:1709.02371, and for brains Kang et al. (2022), Dual-PRNet++,
    doi:10.1016/j.media.2022.102379. Flows of velocities: Dalca et al. (2018), arXiv:1805.04605.
"""

from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import nn

from l2r.grid import GridRule
from models.networks.base import InvertibleModel, NetworkConfig
from models.networks.blocks import ConvBlock, Features, FieldHead, OtherFeatures, double
from models.networks.correlation import OFFSETS, correlation
from models.networks.recompute import recomputed
from models.spatial.parametrisation import Velocity, compose
from models.spatial.warp import upsample_field, warp
from models.types import Fields, OtherFields, Volumes

Widths: TypeAlias = Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=6)]


class PyramidConfig(NetworkConfig):
    """Widths of the levels; the finest, at half the resolution, comes first."""

    name: Literal["pyramid"] = "pyramid"
    first: PositiveInt = 8
    """Channels at full resolution, before the first halving."""
    encoder: Widths = (16, 32, 32, 32)
    decoder: Widths = (32, 32, 32, 32)
    squarings: NonNegativeInt = 4
    """Of each level's velocity."""

    @model_validator(mode="after")
    def _levels_match(self) -> "PyramidConfig":
        encoder, decoder = len(self.encoder), len(self.decoder)
        if encoder != decoder:
            raise ValueError(f"{encoder} levels of the encoder, but {decoder} of the decoder")
        return self

    def build(self) -> "Pyramid":
        return Pyramid(self)


class PyramidLevel(nn.Module):
    """One level: its features, and the velocity that is read from them."""

    def __init__(self, features: int, coarser: int, width: int) -> None:
        super().__init__()
        self.join = ConvBlock(2 * features + len(OFFSETS) + coarser, width)
        self.think = ConvBlock(width, width)
        self.flow = FieldHead(width)

    def forward(self, fixed: Features, moving: Features, *coarser: Features) -> Features:
        """From the features of both images, and what the coarser level saw, if there is one."""
        seen = torch.cat([fixed, moving, correlation(fixed, moving), *coarser], dim=1)
        return self.think(self.join(seen))


class Pyramid(InvertibleModel):
    """The flows of the velocities of all levels, composed."""

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.first = ConvBlock(1, config.first)
        self.encoder = nn.ModuleList(
            nn.Sequential(ConvBlock(before, after, stride=2), ConvBlock(after, after))
            for before, after in pairwise((config.first, *config.encoder))
        )
        self.decoder = nn.ModuleList(
            PyramidLevel(*sizes)
            for sizes in zip(config.encoder, (*config.decoder[1:], 0), config.decoder, strict=True)
        )
        for part in self.modules():
            if isinstance(part, ConvBlock):
                nn.init.kaiming_normal_(part.main.weight, a=0.2)
                if part.main.bias is not None:
                    nn.init.zeros_(part.main.bias)
        self.grid = GridRule(2 ** len(config.encoder))
        self._flow = Velocity(squarings=config.squarings)
        self._recompute = config.recompute

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        return upsample_field(self._composed(fixed, moving)[0])

    def forward_and_inverse(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, Fields]:
        """Field and inverse: the flows of the negative velocities, composed in reverse."""
        field, (coarsest, *finer) = self._composed(fixed, moving)
        undone: OtherFields = self._flow.inverse(coarsest)
        for velocity in finer:
            undone = compose(self._flow.inverse(velocity), upsample_field(undone))
        return upsample_field(field), upsample_field(undone)

    def _composed(self, fixed: Volumes, moving: Volumes) -> tuple[OtherFields, list[OtherFields]]:
        """The field at half the resolution, and the velocity of each level, coarse to fine."""
        self.check_grid(fixed)
        *finer, coarsest = self._described(torch.cat([fixed, moving]))
        *others, first = self.decoder
        seen = self._run(first, *coarsest.chunk(2))
        velocities = [self._velocity(first, seen)]
        field: OtherFields = self._flow.forward(velocities[0])
        for level, features in zip(reversed(others), reversed(finer), strict=True):
            ours, theirs = features.chunk(2)
            field = upsample_field(field)
            theirs = warp(theirs, field, padding="border")
            seen = self._run(level, ours, theirs, double(seen, "nearest"))
            velocities.append(self._velocity(level, seen))
            field = compose(field, self._flow.forward(velocities[-1]))
        return field, velocities

    def _described(self, images: Volumes) -> list[OtherFeatures]:
        """Features from half the resolution on; those of the fixed images, then of the moving."""
        found, features = [], self._run(self.first, images)
        for block in self.encoder:
            features = self._run(block, features)
            found.append(features)
        return found

    def _velocity(self, level: nn.Module, seen: Features) -> OtherFields:
        velocity: OtherFields = level.get_submodule("flow")(seen)
        return velocity

    def _run(self, part: nn.Module, *inputs: OtherFeatures) -> OtherFeatures:
        return recomputed(part, *inputs, when=self._recompute)
