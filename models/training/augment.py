"""Random changes of the images of a pair, made on the device of the training.

Structures go along with their image, interpolated as it is: they are weights, not numbers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal, TypeAlias

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from l2r.arrays import plane_axes, triple
from l2r.schema import Frozen
from models.descent.objective import ImagePair
from models.losses.dice import LabelVolumes
from models.spatial.affine import Matrix, Vector, affine, either_way, rotation, sampled
from models.spatial.coordinate_maps import ImageBatch
from models.training.dataset import Dataset, Sample, Stream, generator
from models.types import Stacks

Augmentable: TypeAlias = tuple[ImageBatch, Stacks | LabelVolumes | None]
"""An image of a pair, and its structures or its label map."""
Probability = Annotated[float, Field(ge=0, le=1)]
Axis = Annotated[int, Field(ge=0, le=2)]

_SIDES = Stream.AUGMENT_FIXED, Stream.AUGMENT_MOVING


@dataclass(frozen=True)
class Chance:
    """Streams of random numbers, on the CPU."""

    own: torch.Generator
    """Of this image alone, unless both are to be changed together."""
    both: torch.Generator
    """The same for both images of a pair."""
    shrink: int = 1
    """Voxels of an image before it was shrunk that one is long now."""


class AugmentationBase(Frozen, ABC):
    """One kind of change."""

    resamples: ClassVar[bool] = False
    """Whether voxels get values that lie between those of others."""

    together: bool = False
    """Both images of a pair are changed alike; else each on its own."""
    from_epoch: NonNegativeInt = 0
    """The first epoch in which it acts, counted from 0: so many pass without it."""

    @abstractmethod
    def apply(self, side: Augmentable, chance: Chance) -> Augmentable:
        """The changed side; a batch of one."""


class AffineConfig(AugmentationBase):
    """Rotation, translation and scaling about the centre, in one resampling.

    Source:
        Zhang et al. (2024), arXiv:2410.15767: probability and ranges, which are the defaults.
    """

    resamples: ClassVar[bool] = True

    name: Literal["affine"] = "affine"
    probability: Probability = 0.5
    """Of each of the three."""
    degrees: NonNegativeFloat = 10.0
    """About each axis, either way."""
    voxels: NonNegativeFloat = 5.0
    """Along each axis, either way; of the images before they are shrunk."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Along each axis, either way."""

    def apply(self, side: Augmentable, chance: Chance) -> Augmentable:
        random = chance.own
        turns, moves, scales = torch.rand(3, generator=random) < self.probability
        matrix = rotation(torch.deg2rad(turns * either_way(self.degrees, random)))
        shift = moves * either_way(self.voxels / chance.shrink, random)
        matrix = matrix @ torch.diag(1 + scales * either_way(self.scale, random))
        return _mapped(side, matrix, shift) if turns or moves or scales else side


class FlipConfig(AugmentationBase):
    """Each axis is turned round, or not.

    Source:
        Zhang et al. (2024), arXiv:2410.15767, flip each image up and down; the training scripts of
        TransMorph and of on-the-fly guidance flip both images of a pair along any axis.
    """

    name: Literal["flip"] = "flip"
    probability: Probability = 0.5
    """Of each axis."""
    axes: tuple[Axis, ...] = (2,)

    def apply(self, side: Augmentable, chance: Chance) -> Augmentable:
        turned = torch.rand(len(self.axes), generator=chance.own) < self.probability
        chosen = [axis + 2 for axis, turn in zip(self.axes, turned, strict=True) if turn]
        image, labels = side
        return image.flip(chosen), None if labels is None else labels.flip(chosen)


class GammaConfig(AugmentationBase):
    """Intensities in [0, 1] are raised to a power near one.

    Source:
        Zhang et al. (2024), arXiv:2410.15767: probability and range, which are the defaults.
    """

    name: Literal["gamma"] = "gamma"
    probability: Probability = 0.1
    by: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """How far from one, either way."""

    def apply(self, side: Augmentable, chance: Chance) -> Augmentable:
        random = chance.own
        acts = torch.rand((), generator=random) < self.probability
        power = 1 + float(either_way(self.by, random, ()))
        return (side[0].clamp(min=0) ** power, side[1]) if acts else side


class GainConfig(AugmentationBase):
    """Intensities are multiplied by a number, even on a logarithmic scale; 1 is the largest left.

    As if white matter were darker or brighter: other tasks scale their images otherwise.
    """

    name: Literal["gain"] = "gain"
    probability: Probability = 0.5
    between: tuple[PositiveFloat, PositiveFloat] = (0.8, 2.2)

    def apply(self, side: Augmentable, chance: Chance) -> Augmentable:
        random = chance.own
        acts = torch.rand((), generator=random) < self.probability
        low, high = (math.log(end) for end in self.between)
        gain = math.exp(low + (high - low) * float(torch.rand((), generator=random)))
        return ((side[0] * gain).clamp(0, 1), side[1]) if acts else side


class IconConfig(AugmentationBase):
    """Axes exchanged and turned round at random, both images alike, then an affine map of each.

    Axes are seen as equally long, as in the cubes of the published training.

    Source:
        The training of GradICON and uniGradICON, arXiv:2206.05897 and arXiv:2403.05780.
    """

    resamples: ClassVar[bool] = True

    name: Literal["icon"] = "icon"
    deviation: NonNegativeFloat = 0.05
    """Of the normal numbers that are added to the matrix, where the image is from -1 to 1."""

    def apply(self, side: Augmentable, chance: Chance) -> Augmentable:
        axes = torch.tensor(plane_axes(side[0].shape[2:]))
        order = torch.arange(3)
        order[axes] = axes[torch.randperm(len(axes), generator=chance.both)]
        signs = 2.0 * torch.randint(2, (3, 1), generator=chance.both) - 1
        noise = self.deviation * torch.randn(3, 4, generator=chance.own)
        halves = torch.tensor(side[0].shape[2:]) / 2
        matrix = signs * torch.eye(3)[order] + noise[:, :3]
        return _mapped(side, halves[:, None] * matrix / halves, halves * noise[:, 3])


Augmentation: TypeAlias = Annotated[
    AffineConfig | FlipConfig | GammaConfig | GainConfig | IconConfig, Field(discriminator="name")
]


class AugmentedPairs(Dataset):
    """The samples of another data set, changed at random."""

    def __init__(
        self, inner: Dataset, parts: Sequence[Augmentation], *, shrink: int, seed: int
    ) -> None:
        self._inner, self._parts, self._shrink, self._seed = inner, parts, shrink, seed

    def __len__(self) -> int:
        return len(self._inner)

    def read(self, epoch: int, number: int) -> Sample:
        return partial(self._augmented, self._inner.read(epoch, number), epoch, number)

    def _augmented(
        self, sample: Sample, epoch: int, number: int, device: torch.device
    ) -> ImagePair:
        case, numbers = sample(device), (epoch, number)
        labels = case.labels or (None, None)
        fixed, fixed_labels = self._changed((case.fixed, labels[0]), numbers, 0)
        moving, moving_labels = self._changed((case.moving, labels[1]), numbers, 1)
        if fixed_labels is None or moving_labels is None:
            return ImagePair(fixed, moving)
        return ImagePair(fixed, moving, (fixed_labels, moving_labels))

    def _changed(self, side: Augmentable, numbers: tuple[int, int], which: int) -> Augmentable:
        """Change one image; `numbers` are epoch and number of the sample."""
        for place, part in enumerate(self._parts):
            if numbers[0] < part.from_epoch:
                continue
            seed = (self._seed, *numbers, Stream.AUGMENT, place)
            # Together, both images take the fixed one's numbers.
            own = generator(*seed, _SIDES[0 if part.together else which])
            both = generator(*seed, Stream.AUGMENT_BOTH)
            side = part.apply(side, Chance(own, both, self._shrink))
        return side


def _mapped(side: Augmentable, matrix: Matrix, shift: Vector) -> Augmentable:
    image, labels = side
    still = image.new_zeros(1, 3, *triple(image.shape[2:]))
    field = affine(still, matrix, shift)
    return sampled(image, field), None if labels is None else sampled(labels, field)
