"""Made-up pairs as a source of training samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from l2r.arrays import triple
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError
from models.descent.objective import ImagePair
from models.training.cache import Stored
from models.training.dataset import Source, drawn
from models.training.sampling import Reading
from models.training.synthesis.config import Synthesis
from models.training.synthesis.deformation import random_deformation
from models.training.synthesis.image import LabelMap, Painter

_CHOICE, *_IMAGES = 2**32 - 2, 2**32 - 3, 2**32 - 4
"""What a stream of random numbers is for: the label maps, the fixed image, the moving one."""


@dataclass(frozen=True)
class Chosen:
    """The label maps of a sample, and the numbers that all else about it follows from."""

    maps: tuple[Stored, Stored]
    """Of the fixed and of the moving image, on the network's grid but not shrunk."""
    numbers: tuple[int, int]
    """Epoch and number."""


class SyntheticPairs(Source):
    """Each image is a label map that was deformed and painted."""

    def __init__(
        self, maps: Sequence[Scan], reading: Reading, config: Synthesis, *, seed: int
    ) -> None:
        """`reading`: gives the grid, the cache, and whether labels are wanted and which."""
        self._maps, self._reading, self._config, self._seed = maps, reading, config, seed

    def __len__(self) -> int:
        return self._config.pairs

    def read(self, epoch: int, number: int) -> Chosen:
        random = drawn(self._seed, epoch, number, _CHOICE)
        first = int(torch.randint(len(self._maps), (), generator=random))
        second = first
        if len(self._maps) > 1 and torch.rand((), generator=random) >= self._config.one_map:
            step = int(torch.randint(1, len(self._maps), (), generator=random))
            second = (first + step) % len(self._maps)
        scans = Pair(self._maps[first], self._maps[second])
        maps = self._reading.preparation.cut(self._maps_of(scans), scans)
        return Chosen(maps, (epoch, number))

    def make(self, read: Chosen, device: torch.device) -> ImagePair:
        """A batch of one on the network's grid."""
        fixed, fixed_map = self._image(read, 0, device)
        moving, moving_map = self._image(read, 1, device)
        if not self._reading.labels:
            return ImagePair(fixed, moving)
        return ImagePair(fixed, moving, self._reading.stacks(fixed_map, moving_map))

    def _image(
        self, read: Chosen, side: int, device: torch.device
    ) -> tuple[torch.Tensor, LabelMap]:
        shrink, numbers = self._reading.shrink, (self._seed, *read.numbers)
        stored = read.maps[side]
        labels = torch.from_numpy(stored.astype(np.int32))[None, None].to(device)
        shape = triple([size // shrink for size in stored.shape])
        random = drawn(*numbers, _IMAGES[side])
        field = random_deformation(shape, shrink, self._config.deformation, random, device)
        seed = int(torch.randint(2**62, (), generator=random))
        return Painter(self._config.look, shrink, seed)(labels, field)

    def _maps_of(self, scans: Pair) -> tuple[Stored, Stored]:
        fixed, moving = (self._read(scan) for scan in (scans.fixed, scans.moving))
        return fixed, moving

    def _read(self, scan: Scan) -> Stored:
        found = self._reading.cache.labels(scan.path)
        if found.min() < 0 or found.max() == 0:
            raise ImageError(f"{scan.path}: no label map: needs labels above 0, and none below")
        return found
