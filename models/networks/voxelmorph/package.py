"""VoxelMorph as its own package has it: it integrates a velocity, so the map has an inverse.

The last convolution gives a stationary velocity field at full resolution. It is halved (unless
configured otherwise), integrated over unit time by scaling and squaring, and doubled. The published
resizes keep the centres of the border voxels in place (`align_corners`), yet multiply by exactly
1/2 and 2; what moves in from beyond the border of the velocity field does not move.

Source:
    Dalca et al. (2018), MICCAI, doi:10.1007/978-3-030-00928-1_82, arXiv:1805.04605; Balakrishnan
    et al. (2019), doi:10.1109/TMI.2019.2897538, arXiv:1809.05231; github.com/voxelmorph/voxelmorph,
    its networks in torch.
"""

from itertools import pairwise
from typing import Literal

from pydantic import NonNegativeInt
from torch import nn
from torch.nn import functional

from models.networks.base import VelocityModel
from models.networks.blocks import ConvBlock, Features, OtherFeatures, sides
from models.networks.voxelmorph.lumir import Unet, UnetConfig, UnetModel, decode, decoder_blocks
from models.spatial.warp import warp
from models.types import Fields, OtherFields, Pairs, Volumes


class VoxelMorphConfig(UnetConfig):
    """VoxelMorph of the package `voxelmorph`, with its default channels."""

    name: Literal["voxelmorph"] = "voxelmorph"
    int_steps: NonNegativeInt = 7
    """Squarings; without any the network gives a displacement at full resolution."""
    int_downsize: Literal[1, 2, 4] = 2
    """How much coarser than the images the grid is on which velocities are integrated."""

    def build(self) -> "VoxelMorphOfficial":
        return VoxelMorphOfficial(self)


class PooledUnet(Unet):
    """Every level of the encoder convolves, is skipped, and is halved by its largest values."""

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        a, b, c, d = config.encoder
        up, remaining = decoder_blocks(config, (d, c, b, a))
        steps = pairwise((2, *config.encoder))
        down = [ConvBlock(*step, dimensions=config.dimensions) for step in steps]
        self._pool = sides(2, config.dimensions)
        # The published names count the convolutions of a level too, of which there is one.
        self.encoder = nn.ModuleList(nn.ModuleList([block]) for block in down)
        self.decoder = nn.ModuleList(nn.ModuleList([block]) for block in up)
        self.remaining = nn.ModuleList(remaining)

    def forward(self, pair: Pairs) -> tuple[OtherFeatures, Features]:
        """Features of half the resolution, and those of the first level at full resolution."""
        levels, features = [], pair
        for level in self.encoder:
            levels.append(level.get_submodule("0")(features))
            features = functional.max_pool3d(levels[-1], self._pool)
        finest, *skipped = levels
        up = [level.get_submodule("0") for level in self.decoder]
        return decode(up, features, reversed(skipped)), finest

    def finish(self, coarse: OtherFeatures, skipped: Features) -> Features:
        return decode(self.remaining, coarse, [skipped])


class VoxelMorphOfficial(UnetModel, VelocityModel):
    """Predicts a velocity; the displacement and that of the inverse map are its integrals."""

    def __init__(self, config: VoxelMorphConfig) -> None:
        super().__init__(PooledUnet(config), config)
        self._steps = config.int_steps
        self._factor = float(config.int_downsize if config.int_steps else 1)

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement in voxels, intensities in [0, 1]."""
        return self._displacement(self.velocity(fixed, moving))

    def forward_and_inverse(self, fixed: Volumes, moving: Volumes) -> tuple[Fields, Fields]:
        """Integrals of the velocity and of its negative: they undo each other inside the image.

        Without squarings they are the displacement and its negative, and do so only roughly.
        """
        velocity = self.velocity(fixed, moving)
        return self._displacement(velocity), self._displacement(-velocity)

    def forward_with_velocities(
        self, fixed: Volumes, moving: Volumes
    ) -> tuple[OtherFields, list[OtherFields]]:
        velocity = self.velocity(fixed, moving)
        return self._displacement(velocity), [velocity]

    def velocity(self, fixed: Volumes, moving: Volumes) -> OtherFields:
        """In voxels of the coarser grid per unit of time, on that grid."""
        return _resized(self.read(fixed, moving), 1 / self._factor)

    def _displacement(self, velocity: Fields) -> OtherFields:
        """`exp(v)` at full resolution: `v / 2^n`, then `n` times `u(p) <- u(p) + u(p + u(p))`."""
        field = velocity / 2**self._steps
        for _ in range(self._steps):
            field = field + warp(field, field)
        return _resized(field, self._factor)


def _resized(field: Fields, factor: float) -> OtherFields:
    """The same motion on a grid of `factor` times the size, corners kept in place."""
    if factor == 1:
        return field
    shape = [round(size * factor) if size > 1 else 1 for size in field.shape[2:]]
    field = functional.interpolate(field, shape, mode="trilinear", align_corners=True)
    return field.mul_(factor)
