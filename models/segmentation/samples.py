"""Samples of a segmentation's training: images with the class of each voxel."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Integer, Shaped
from torch import Tensor
from torch.nn.functional import interpolate

from l2r.arrays import Shape, triple
from models.segmentation.config import SegmentationTraining
from models.segmentation.mixture import ClassVoxels
from models.segmentation.prior import Region
from models.segmentation.segmenter import HALF
from models.segmentation.structures import CLASSES, Channels, Probabilities, to_channels
from models.spatial.affine import sampled
from models.training.dataset import generator
from models.training.synthesis.config import Deformation
from models.training.synthesis.deformation import random_deformation
from models.training.synthesis.image import ImageSynthesizer
from models.types import Volumes

MAPS, WHICH, LOOK = range(3)
"""Purposes of random numbers."""
_GAIN, _GAMMA, _BIAS, _NOISE = 0.1, 0.2, 0.1, 0.02
"""Standard deviations: of the logarithm of gain, exponent and bias field, and of the noise."""
_BIAS_GRID = 4
_LEVEL = 0.43
"""Of white matter in LUMIR; a gamma curve keeps it."""


@dataclass(frozen=True)
class Labelled:
    """A synthesised image at half resolution, in bytes, and the channel of each voxel."""

    image: Integer[Tensor, "1 1 _ _ _"]
    channels: Channels


@dataclass(frozen=True)
class RealImage:
    """A real image at half resolution, intensities in [0, 1]."""

    image: Volumes
    channels: Channels | None = None
    """Of each voxel, at full resolution; None without a label map."""

    def to(self, device: torch.device) -> "RealImage":
        """The same on a device."""
        return RealImage(
            self.image.to(device), None if self.channels is None else self.channels.to(device)
        )


class SyntheticImages:
    """Images synthesised from label maps, the latest of which are kept."""

    def __init__(
        self,
        maps: Sequence[Shaped[np.ndarray, "_ _ _"]],
        config: SegmentationTraining,
        device: torch.device,
    ) -> None:
        """Nothing is synthesised yet.

        Args:
            maps: FreeSurfer's labels, on a grid twice as fine as that of the network.
            config: what images look like.
            device: where they are synthesised and kept.
        """
        self.maps, self._config, self._device = maps, config, device
        self._made: OrderedDict[int, Labelled] = OrderedDict()

    def __call__(self, step: int) -> Labelled:
        """One of the latest images; the same step always has the same one."""
        config = self._config
        newest = step // config.reuse
        random = generator(config.seed, step, WHICH)
        number = max(0, newest - int(torch.randint(config.pool, (), generator=random)))
        if number not in self._made:
            self._made[number] = self.made(number)
        while len(self._made) > config.pool:
            self._made.pop(min(self._made))
        return self._made[number]

    @torch.no_grad()
    def made(self, number: int) -> Labelled:
        """Synthesise an image."""
        config, random = self._config, generator(self._config.seed, number, MAPS)
        chosen = self.maps[int(torch.randint(len(self.maps), (), generator=random))]
        labels = torch.from_numpy(np.asarray(chosen, np.int32))[None, None].to(self._device)
        shape = triple([size // HALF for size in chosen.shape])
        field = random_deformation(shape, HALF, config.deformation, random, labels.device)
        seed = int(torch.randint(2**62, (), generator=random))
        image, moved = ImageSynthesizer(config.appearance, HALF, seed)(labels, field)
        return Labelled((image * 255).round().byte(), to_channels(moved[:, 0]).byte())


def deformed(real: RealImage, config: Deformation, random: torch.Generator) -> RealImage:
    """A real image, and its label map at the resolution of the image, moved at random."""
    image, channels = real.image, real.channels
    field = random_deformation(triple(image.shape[2:]), HALF, config, random, image.device)
    if channels is not None:
        channels = sampled(channels[None].to(field), field, "nearest")[0].to(channels.dtype)
    return RealImage(sampled(image, field), channels)


def with_other_look(image: Volumes, random: torch.Generator) -> Volumes:
    """The image with another gain, gamma, bias field and noise."""
    of_voxels = torch.Generator(image.device)
    of_voxels.manual_seed(int(torch.randint(2**62, (), generator=random)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    gain, gamma = math.exp(_GAIN * float(normal())), math.exp(_GAMMA * float(normal()))
    coarse = normal(1, 1, _BIAS_GRID, _BIAS_GRID, _BIAS_GRID)
    bias = interpolate(
        _BIAS * coarse.to(image), image.shape[2:], mode="trilinear", align_corners=True
    ).exp()
    noise = torch.randn(image.shape, generator=of_voxels, device=image.device)
    noise *= _NOISE * float(torch.rand((), generator=random))
    changed = _LEVEL * (gain * image / _LEVEL) ** gamma * bias + noise
    return changed.clamp(0, 1) * (image > 0)


def target_at(target: Channels | Probabilities, shape: Shape, part: Region) -> ClassVoxels:
    """Probability of each class at some voxels of a grid.

    Args:
        target: probabilities, or channels of the same grid or of one that is twice as fine.
        shape: of the grid.
        part: the voxels.
    """
    if target.is_floating_point():
        return target[(0, slice(None), *part)].flatten(1)
    factor = target.shape[-1] // shape[-1]
    x, y, z = shape
    cubes = target[0].view(x, factor, y, factor, z, factor).permute(0, 2, 4, 1, 3, 5)
    seen = cubes[part].reshape(-1, factor**3).long()
    counts = torch.zeros(len(seen), len(CLASSES), device=seen.device)
    counts.scatter_add_(1, seen, torch.ones_like(seen, dtype=counts.dtype))
    return counts.T / factor**3


def mirrored_at_random(
    image: Volumes, target: Tensor, random: torch.Generator, swap: Callable[[Tensor], Tensor]
) -> tuple[Volumes, Tensor]:
    """Image and target, or the mirror images of both.

    Args:
        image: left to right along its first axis.
        target: along the same grid, without the image's channel if it has none.
        random: decides.
        swap: exchanges left and right in the target.
    """
    if torch.rand((), generator=random) < 0.5:
        return image, target
    return image.flip(-3), swap(target).flip(-3)
