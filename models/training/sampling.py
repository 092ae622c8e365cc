"""Pairs of images: each image of a list is moved onto a random other one, or onto named ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
import torch
from jaxtyping import Shaped

from l2r.formats.volumes import Image
from l2r.grid import GridRule, cube_means
from l2r.pairs import Pair, Scan
from l2r.prepare import Loaded, Prepared, PreparePair
from l2r.task import Task
from models.descent.objective import ImagePair
from models.losses.dice import LabelVolumes, channels, shared
from models.spatial.blocks import block_means
from models.training.cache import Cache
from models.training.dataset import Dataset, Sample, generator
from models.training.resident import Resident
from models.types import Stacks, Volumes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedImage:
    """One image of a pair on a device, on the network's grid, and its label map if it was read."""

    image: Volumes
    labels: LabelVolumes | None


@dataclass(frozen=True)
class PairPreprocessor:
    """The preparation of a run, from decoded files to batches of one."""

    task: Task
    rule: GridRule
    """Which grids the network can work on, in its own voxels."""
    cache: Cache
    labels: bool = False
    """Whether label maps are read too."""
    structures: tuple[int, ...] | None = None
    """The labels that count; those that both maps of a pair have for None."""
    shrink: int = 1
    """Voxels of an image along each axis that one of the network's grid is long."""
    maps: bool = False
    """Whether label maps stay maps, and do not become a channel per structure."""
    resident: Resident[PreparedImage] = field(default_factory=Resident)
    """Images that were prepared before."""

    @property
    def preparation(self) -> PreparePair:
        """The steps of a run with this network, at full resolution."""
        return PreparePair(self.task, self.rule.finer(self.shrink), labels=self.labels)

    def read(self, pair: Pair) -> Loaded:
        """Fixed and moving image, and their label maps if these are wanted.

        Raises:
            ImageError: a file cannot be used, or a shape is wrong.
        """
        fixed, moving = (Image(self.cache.image(s.path)) for s in (pair.fixed, pair.moving))
        maps = None
        if self.labels:
            maps = self.cache.labels(pair.fixed.labels), self.cache.labels(pair.moving.labels)
        return self.preparation.checked(Loaded(pair, (fixed, moving), maps))

    def sample(self, pair: Pair) -> Sample:
        """Read a pair, and make it on a device later.

        Raises:
            ImageError: a file cannot be used, or a shape is wrong.
        """
        return partial(self.make, self.read(pair))

    def prepare(self, loaded: Loaded) -> Prepared:
        """A pair as a run prepares it; each of its warnings is logged once.

        Raises:
            ImageError: cropping to the network's only grid would take tissue off.
        """
        prepared = self.preparation.prepare(loaded)
        for warning in prepared.warnings:
            _warn(warning)
        return prepared

    def make(self, loaded: Loaded, device: torch.device) -> ImagePair:
        """A batch of one on the network's grid; structures as means over their voxels."""
        if not self._apart(loaded):
            return self.batch(self.prepare(loaded), device)
        names = [(scan, self.labels) for scan in (loaded.pair.fixed, loaded.pair.moving)]
        fixed, moving = map(self.resident.find, names)
        if fixed is None or moving is None:
            fixed, moving = sides = self._sides(self.prepare(loaded), device)
            for name, side in zip(names, sides, strict=True):
                self.resident.keep(name, side, device)
        return self._joined(fixed, moving)

    def batch(self, prepared: Prepared, device: torch.device) -> ImagePair:
        """A batch of one, shrunk to the network's voxels."""
        return self._joined(*self._sides(prepared, device))

    def _joined(self, fixed: PreparedImage, moving: PreparedImage) -> ImagePair:
        if fixed.labels is None or moving.labels is None:
            return ImagePair(fixed.image, moving.image)
        stacks = self.stacks(fixed.labels.long(), moving.labels.long(), self.shrink)
        return ImagePair(fixed.image, moving.image, stacks)

    def _apart(self, loaded: Loaded) -> bool:
        """Tell whether an image is prepared alike whatever the other one shows: none is cropped."""
        fixed, moving = (image.shape for image in loaded.images)
        return fixed == moving and self.rule.exactly is None

    def _sides(
        self, prepared: Prepared, device: torch.device
    ) -> tuple[PreparedImage, PreparedImage]:
        """Both images, shrunk to the network's voxels."""
        fixed, moving = (
            _batch(cube_means(volume, self.shrink), device)
            for volume in (prepared.fixed, prepared.moving)
        )
        if prepared.labels is None:
            return PreparedImage(fixed, None), PreparedImage(moving, None)
        maps = [_batch(np.asarray(found, np.int32), device) for found in prepared.labels]
        return PreparedImage(fixed, maps[0]), PreparedImage(moving, maps[1])

    def stacks(
        self, fixed: LabelVolumes, moving: LabelVolumes, shrink: int = 1
    ) -> tuple[Stacks, Stacks] | tuple[LabelVolumes, LabelVolumes]:
        """One channel per structure that counts: ones and zeros, or means over cubes of them."""
        if self.maps:
            return fixed, moving
        wanted = shared(fixed, moving) if self.structures is None else self.structures
        if shrink == 1:
            return channels(fixed, wanted), channels(moving, wanted)
        return means(fixed, wanted, shrink), means(moving, wanted, shrink)


@cache
def _warn(text: str) -> None:
    """Log a warning, but only the first time in a process: samples come again in every epoch."""
    logger.warning("%s", text)


def _batch(volume: Shaped[np.ndarray, "_ _ _"], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(volume)[None, None].to(device)


def means(labels: LabelVolumes, wanted: Sequence[int], side: int) -> Stacks:
    """Average each structure over cubes, one by one: all at full size would fill a memory."""
    return torch.cat([block_means((labels == label).float(), side) for label in wanted], dim=1)


class RandomPartners(Dataset):
    """Every image once per epoch, in random order, moved onto a random other image.

    Source:
        The organisers' training of the LUMIR baseline.
    """

    def __init__(
        self, scans: Sequence[Scan], preprocessor: PairPreprocessor, *, seed: int, both_orders: bool
    ) -> None:
        """`both_orders`: each pair is followed by itself with the images exchanged."""
        self._scans, self._preprocessor, self._seed = scans, preprocessor, seed
        self._orders = 2 if both_orders else 1

    def __len__(self) -> int:
        return self._orders * len(self._scans)

    def pair(self, epoch: int, number: int) -> Pair:
        """The pair of a sample."""
        place, turned = divmod(number, self._orders)
        order = torch.randperm(len(self._scans), generator=generator(self._seed, epoch))
        moving = int(order[place])
        step = torch.randint(
            1, len(self._scans), (), generator=generator(self._seed, epoch, place)
        ).item()
        fixed = (moving + int(step)) % len(self._scans)
        if turned:
            fixed, moving = moving, fixed
        return Pair(self._scans[fixed], self._scans[moving])

    def read(self, epoch: int, number: int) -> Sample:
        return self._preprocessor.sample(self.pair(epoch, number))


class ShuffledPairs(Dataset):
    """The pairs of a list, every one once per epoch, in random order."""

    def __init__(
        self, pairs: Sequence[Pair], preprocessor: PairPreprocessor, *, seed: int, both_orders: bool
    ) -> None:
        """`both_orders`: each pair is followed by itself with the images exchanged."""
        self._pairs, self._preprocessor, self._seed = pairs, preprocessor, seed
        self._orders = 2 if both_orders else 1

    def __len__(self) -> int:
        return self._orders * len(self._pairs)

    def pair(self, epoch: int, number: int) -> Pair:
        """The pair of a sample."""
        place, turned = divmod(number, self._orders)
        order = torch.randperm(len(self._pairs), generator=generator(self._seed, epoch))
        pair = self._pairs[int(order[place])]
        return Pair(pair.moving, pair.fixed) if turned else pair

    def read(self, epoch: int, number: int) -> Sample:
        return self._preprocessor.sample(self.pair(epoch, number))


class ListedPairs(Dataset):
    """The pairs of a list, in its order in every epoch."""

    def __init__(self, pairs: Sequence[Pair], preprocessor: PairPreprocessor) -> None:
        self._pairs, self._preprocessor = pairs, preprocessor

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, epoch: int, number: int) -> Sample:  # noqa: ARG002 - others draw
        return self._preprocessor.sample(self._pairs[number])
