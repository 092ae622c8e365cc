"""Images at a coarser resolution, with the place of every voxel in millimetres."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn import functional

from l2r.arrays import triple
from l2r.formats.affine import Affine, sides_of
from l2r.transforms.grids import Grid
from models.affine.similarity import DARK
from models.types import Volumes

VolumeValues = Float32[np.ndarray, "_ _ _"]
LevelCoordinates = Float[Tensor, "3 x y z"]

_RANGE = (0.005, 0.995)
"""Quantiles of the foreground that become 0 and 1."""
_MARGIN = 4
"""Voxels around the foreground that are compared too."""
_MOST_BORDER = 0.02
"""Share of foreground among the outermost voxels, up to which an image ends in air."""


@dataclass(frozen=True)
class Level:
    """An image at one resolution."""

    volume: Volumes
    """Intensities in [0, 1]."""
    affine: Affine
    """Voxel indices to RAS millimetres."""
    ends_in_air: bool
    """Nothing but background lies at the border, and nothing else beyond it."""

    @property
    def grid(self) -> Grid:
        """The voxels without their values."""
        return Grid(triple(self.volume.shape[2:]), self.affine)

    def coordinates(self) -> LevelCoordinates:
        """Voxel indices of every voxel."""
        lines = [torch.arange(size, dtype=torch.float32) for size in self.volume.shape[2:]]
        return torch.stack(torch.meshgrid(*lines, indexing="ij"))

    def foreground(self) -> Bool[Tensor, "1 1 x y z"]:
        """Voxels that show something."""
        return self.volume > DARK

    def cropped(self) -> "Level":
        """The piece around the foreground, with a margin."""
        inside = self.foreground()[0, 0].nonzero()
        if not len(inside):
            return self
        size = torch.tensor(self.volume.shape[2:])
        first = (inside.amin(dim=0) - _MARGIN).clamp(min=0)
        last = torch.minimum(inside.amax(dim=0) + _MARGIN + 1, size)
        x, y, z = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        shifted = self.affine.copy()
        shifted[:3, 3] += self.affine[:3, :3] @ first.numpy()
        return Level(self.volume[:, :, x, y, z], shifted, self.ends_in_air)


def normalised(array: VolumeValues) -> VolumeValues:
    """Intensities with the background at 0 and the bright end of the foreground at 1.

    Zero is the background where a tenth of the image has it, whatever lies below.
    """
    some = array[::2, ::2, ::2]
    floor = 0.0 if (some == 0).mean() > 0.1 else float(np.quantile(some, _RANGE[0]))
    above = some[some > floor]
    high = float(np.quantile(above, _RANGE[1])) if above.size else floor + 1.0
    return ((array - floor) / max(high - floor, 1e-12)).clip(0, 1).astype(np.float32)


def pyramid(array: VolumeValues, affine: Affine, sides_mm: tuple[float, ...]) -> list[Level]:
    """Bring an image to several resolutions by means over blocks of voxels, coarse to fine.

    Args:
        array: the values.
        affine: voxel indices to RAS millimetres.
        sides_mm: of voxels, about, the largest first; an axis whose voxels are larger is left as
            it is.
    """
    volume = torch.from_numpy(normalised(array))[None, None]
    level = Level(volume, affine, _border_share(volume[0, 0].numpy()) < _MOST_BORDER)
    levels: list[Level] = []
    for side_mm in reversed(sides_mm):
        level = _pooled(level, side_mm)
        levels.insert(0, level)
    return levels


def _pooled(level: Level, side_mm: float) -> Level:
    """Means over blocks; the last voxels fill a block at the end that is not whole."""
    size = level.volume.shape[2:]
    blocks = [
        int(min(max(1, round(side_mm / side)), length))
        for side, length in zip(sides_of(level.affine), size, strict=True)
    ]
    spare = [-length % block for length, block in zip(size, blocks, strict=True)]
    volume = level.volume
    if any(spare):
        ends = [width for axis in reversed(spare) for width in (0, axis)]
        volume = functional.pad(volume, ends, "replicate")
    step = np.diag([*map(float, blocks), 1.0])
    step[:3, 3] = [(block - 1) / 2 for block in blocks]  # centre of the first block
    return Level(functional.avg_pool3d(volume, blocks), level.affine @ step, level.ends_in_air)


def _border_share(array: VolumeValues) -> float:
    faces = [np.take(array, end, axis).ravel() for axis, end in product(range(3), (0, -1))]
    return float((np.concatenate(faces) > DARK).mean())


def moments_mm(level: Level) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "3 3"]]:
    """Centre of mass and covariance of the foreground's places."""
    inside = np.argwhere(level.foreground()[0, 0].numpy())
    if not len(inside):
        inside = np.argwhere(np.ones(level.grid.shape, bool))
    places = inside @ level.affine[:3, :3].T + level.affine[:3, 3]
    return places.mean(axis=0), np.cov(places.T)
