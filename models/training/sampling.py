"""Pairs of images: each image of a list is moved onto a random other one, or onto named ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Shaped
from torch.nn.functional import avg_pool3d

from l2r.arrays import Box, Shape, triple
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError
from l2r.grid import GridRule, WorkingGrid, working_grid
from l2r.task import Task
from models.descent.objective import ImagePair
from models.losses.dice import LabelVolumes, channels, shared
from models.training.cache import Cache, Stored
from models.training.dataset import Source, drawn
from models.types import Stacks


@dataclass(frozen=True)
class Reading:
    """How images of a task become volumes that a network can work on."""

    task: Task
    rule: GridRule
    cache: Cache
    labels: bool = False
    """Whether label maps are read too."""
    structures: tuple[int, ...] | None = None
    """The labels that count; those that both maps of a pair have for None."""
    shrink: int = 1
    """Voxels of an image along each axis that one of the network's grid is long."""
    maps: bool = False
    """Whether label maps stay maps, and do not become a channel per structure."""

    def grid(self, shape: Shape) -> WorkingGrid:
        """Where the network works on images of a shape that `shrink` divides."""
        return working_grid(shape, shape, self.rule, [1 / self.shrink] * 3)

    def cut(self, volume: Stored, scan: Scan) -> Stored:
        """The volume on the network's grid, but not shrunk.

        Raises:
            ImageError: `shrink` does not divide its shape.
        """
        return self._fine(self._divided(volume, scan)).cut(volume)

    def read(self, pair: Pair) -> tuple[Stored, ...]:
        """Fixed and moving image, then their label maps if these are wanted.

        Raises:
            ImageError: a file cannot be used, or a shape is wrong.
        """
        scans = (pair.fixed, pair.moving)
        images = [self._checked(self.cache.image(scan.path), scan) for scan in scans]
        maps = [self.cache.labels(scan.labels) for scan in scans] if self.labels else []
        for scan, image, found in zip(scans, images, maps, strict=False):
            if image.shape != found.shape:
                raise ImageError(f"{scan.labels}: shape {found.shape}, its image has {image.shape}")
        return *images, *maps

    def make(self, stored: Sequence[Stored], device: torch.device) -> ImagePair:
        """A batch of one on the network's grid; structures as means over their voxels."""
        normalise = self.task.preprocess.normalise
        images = [normalise(np.asarray(array, np.float32)) for array in stored[:2]]
        fixed, moving = (
            _batch(self.grid(triple(image.shape)).bring(image), device) for image in images
        )
        if not self.labels:
            return ImagePair(fixed, moving)
        fine = [self._fine(triple(array.shape)).cut(array) for array in stored[2:]]
        maps = [_batch(found.astype(np.int64), device) for found in fine]
        return ImagePair(fixed, moving, self.stacks(maps[0], maps[1], self.shrink))

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

    def _fine(self, shape: Shape) -> Box:
        """The network's grid as a piece of the image's index space."""
        box, shrink = self.grid(shape).box, self.shrink
        return Box(
            triple([shrink * start for start in box.start]),
            triple([shrink * size for size in box.shape]),
        )

    def _checked(self, array: Stored, scan: Scan) -> Stored:
        expected: Shape | None = self.task.data.shape
        if expected is not None and array.shape != expected:
            raise ImageError(
                f"{scan.path}: shape {array.shape}, but task {self.task.name!r} asks for {expected}"
            )
        self._divided(array, scan)
        return array

    def _divided(self, array: Stored, scan: Scan) -> Shape:
        shape = triple(array.shape)
        if any(size % self.shrink for size in shape):
            raise ImageError(
                f"{scan.path}: shape {shape}, but shrink = {self.shrink} must divide it; choose "
                "another shrink, or resample the images"
            )
        return shape


def _batch(volume: Shaped[np.ndarray, "_ _ _"], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(volume)[None, None].to(device)


def means(labels: LabelVolumes, wanted: Sequence[int], side: int) -> Stacks:
    """Of each structure over cubes, one after the other: all at full size would fill a memory."""
    return torch.cat([avg_pool3d((labels == label).float(), side) for label in wanted], dim=1)


class RandomPartners(Source):
    """Every image once per epoch, in random order, moved onto a random other image.

    Source:
        The organisers' training of the LUMIR baseline.
    """

    def __init__(
        self, scans: Sequence[Scan], reading: Reading, *, seed: int, both_orders: bool
    ) -> None:
        """`both_orders`: each pair is followed by itself with the images exchanged."""
        self._scans, self._reading, self._seed = scans, reading, seed
        self._orders = 2 if both_orders else 1

    def __len__(self) -> int:
        return self._orders * len(self._scans)

    def pair(self, epoch: int, number: int) -> Pair:
        """The pair of a sample."""
        place, turned = divmod(number, self._orders)
        order = torch.randperm(len(self._scans), generator=drawn(self._seed, epoch))
        moving = int(order[place])
        step = torch.randint(
            1, len(self._scans), (), generator=drawn(self._seed, epoch, place)
        ).item()
        fixed = (moving + int(step)) % len(self._scans)
        if turned:
            fixed, moving = moving, fixed
        return Pair(self._scans[fixed], self._scans[moving])

    def read(self, epoch: int, number: int) -> tuple[Stored, ...]:
        return self._reading.read(self.pair(epoch, number))

    def make(self, read: Sequence[Stored], device: torch.device) -> ImagePair:
        return self._reading.make(read, device)


class ListedPairs(Source):
    """The pairs of a list, in its order in every epoch."""

    def __init__(self, pairs: Sequence[Pair], reading: Reading) -> None:
        self._pairs, self._reading = pairs, reading

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, epoch: int, number: int) -> tuple[Stored, ...]:  # noqa: ARG002 - others draw
        return self._reading.read(self._pairs[number])

    def make(self, read: Sequence[Stored], device: torch.device) -> ImagePair:
        return self._reading.make(read, device)
