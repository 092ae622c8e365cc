"""Pairs of images: each image of a list is moved onto a random other one, or onto named ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from l2r.arrays import Shape, Volume, triple
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError
from l2r.grid import GridRule, working_grid
from l2r.task import Task
from models.losses.dice import channels, one_hot
from models.optim.objective import Case
from models.training.cache import Cache, Stored
from models.training.source import Source, drawn


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

    def make(self, stored: Sequence[Stored], device: torch.device) -> Case:
        """A batch of one on the network's grid."""
        normalise = self.task.preprocess.normalise
        images = [normalise(np.asarray(array, np.float32)) for array in stored[:2]]
        fixed, moving = (self._brought(image, device) for image in images)
        if not self.labels:
            return Case(fixed, moving)
        maps = [self._brought(np.asarray(array, np.float32), device) for array in stored[2:]]
        first, second = (found.long() for found in maps)
        if self.structures is None:
            return Case(fixed, moving, one_hot(first, second))
        wanted = self.structures
        return Case(fixed, moving, (channels(first, wanted), channels(second, wanted)))

    def _brought(self, volume: Volume, device: torch.device) -> torch.Tensor:
        shape = triple(volume.shape)
        brought = working_grid(shape, shape, self.rule).bring(volume)
        return torch.from_numpy(brought)[None, None].to(device)

    def _checked(self, array: Stored, scan: Scan) -> Stored:
        expected: Shape | None = self.task.data.shape
        if expected is not None and array.shape != expected:
            raise ImageError(
                f"{scan.path}: shape {array.shape}, but task {self.task.name!r} asks for {expected}"
            )
        return array


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

    def make(self, read: Sequence[Stored], device: torch.device) -> Case:
        return self._reading.make(read, device)


class ListedPairs(Source):
    """The pairs of a list, in its order in every epoch."""

    def __init__(self, pairs: Sequence[Pair], reading: Reading) -> None:
        self._pairs, self._reading = pairs, reading

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, epoch: int, number: int) -> tuple[Stored, ...]:  # noqa: ARG002 - others draw
        return self._reading.read(self._pairs[number])

    def make(self, read: Sequence[Stored], device: torch.device) -> Case:
        return self._reading.make(read, device)
