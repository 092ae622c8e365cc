"""A small U-Net from a T1-weighted brain to the logits of its structures.

Source:
    Ronneberger et al. (2015), U-Net, arXiv:1505.04597, in three dimensions; taught from label maps
    alone as Billot et al. (2023), SynthSeg, doi:10.1016/j.media.2023.102789.
"""

from itertools import pairwise
from typing import Annotated, Final, Literal, TypeAlias

import torch
from pydantic import Field, PositiveInt
from torch import nn

from l2r.grid import GridRule
from l2r.schema import Frozen
from models.networks.blocks import Features, OtherFeatures, double
from models.segmentation.prior import WHOLE, Region, StructurePrior
from models.segmentation.structures import CLASSES
from models.types import Volumes

_SLOPE = 0.2
LevelWidths: TypeAlias = Annotated[tuple[PositiveInt, ...], Field(min_length=2, max_length=6)]


SEGMENTATION: Final = "segmentation"
"""Name of the network in a registry of weights."""


class SegmentationNetworkConfig(Frozen):
    """Widths of the levels; the finest, at the resolution of the images, comes first."""

    name: Literal["segmentation"] = SEGMENTATION
    widths: LevelWidths = (16, 32, 64, 96, 128)
    prior: tuple[PositiveInt, PositiveInt, PositiveInt] = (24, 32, 28)
    """Grid of the prior, within the box around a brain."""

    def build(self) -> "SegmentationNetwork":
        return SegmentationNetwork(self)


class _Block(nn.Sequential):
    """Convolution, instance normalisation and leaky rectifier."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        conv = nn.Conv3d(inputs, outputs, 3, stride, padding=1)
        nn.init.kaiming_normal_(conv.weight, a=_SLOPE)
        super().__init__(
            conv, nn.InstanceNorm3d(outputs, affine=True), nn.LeakyReLU(_SLOPE, inplace=True)
        )


class SegmentationNetwork(nn.Module):
    """Logits of each class, on the grid of the image: those of the place and of the intensities."""

    def __init__(self, config: SegmentationNetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _Block(before, after, stride=1 if level == 0 else 2), _Block(after, after)
            )
            for level, (before, after) in enumerate(zip((1, *widths), widths, strict=False))
        )
        finer = list(pairwise(widths))
        self.reduce = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in finer)
        self.decoder = nn.ModuleList(
            nn.Sequential(_Block(2 * fine, fine), _Block(fine, fine)) for fine, _ in finer
        )
        self.head = nn.Conv3d(widths[0], len(CLASSES), 1)
        coarsest = 2 ** len(finer)
        self.grid = GridRule(coarsest, least=2 * coarsest)  # one voxel alone has no deviation
        self.prior = StructurePrior(config.prior)

    def forward(self, image: Volumes) -> OtherFeatures:
        """Logits of a normalised image, intensities in [0, 1]."""
        return self.logits(self.features(image), image)

    def logits(self, features: Features, image: Volumes, part: Region = WHOLE) -> OtherFeatures:
        """Logits of a part of the grid, from the features of the whole image."""
        return self.head(features[(..., *part)]) + self.prior(image, part)

    def features(self, image: Volumes) -> Features:
        """Features of each voxel, from which the head reads the logits of its class."""
        features, skipped = image, []
        for block in self.encoder:
            features = block(features)
            skipped.append(features)
        features = skipped.pop()
        levels = zip(self.reduce, self.decoder, skipped, strict=True)
        for reduce, block, kept in reversed(list(levels)):
            features = block(torch.cat([double(reduce(features)), kept], dim=1))
        return features
