"""Synthetic pairs as samples of a training."""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import torch

from l2r.arrays import block_sides, triple
from l2r.errors import ImageError
from l2r.pairs import Pair, Scan
from models.descent.objective import ImagePair
from models.training.cache import CachedArray, name_of
from models.training.dataset import Dataset, Sample, Stream, generator
from models.training.sampling import PairPreprocessor
from models.training.synthesis.config import Synthesis
from models.training.synthesis.deformation import random_deformation
from models.training.synthesis.image import ImageSynthesizer, LabelMap
from models.training.synthesis.kept import KeptImages
from models.types import Volumes

_SIDES = Stream.SYNTHESIS_FIXED, Stream.SYNTHESIS_MOVING
_GREATEST_LABEL = 65535
Seeds: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Numbers that all that is random in the fixed and in the moving image follows from."""


class SyntheticPairs(Dataset):
    """Pairs whose images are synthesised from deformed label maps."""

    def __init__(
        self, maps: Sequence[Scan], preprocessor: PairPreprocessor, config: Synthesis, *, seed: int
    ) -> None:
        """`preprocessor`: gives the grid, the cache, and whether labels are wanted and which."""
        self._maps, self._preprocessor, self._config, self._seed = maps, preprocessor, config, seed
        self._kept = KeptImages(preprocessor.cache, config, preprocessor.shrink)

    def __len__(self) -> int:
        return self._config.pairs

    def pair(self, epoch: int, number: int) -> Pair:
        """Choose the label maps of a sample."""
        random = generator(self._seed, epoch, number, Stream.SYNTHESIS_MAPS)
        first = int(torch.randint(len(self._maps), (), generator=random))
        second = first
        if len(self._maps) > 1 and torch.rand((), generator=random) >= self._config.one_map:
            step = int(torch.randint(1, len(self._maps), (), generator=random))
            second = (first + step) % len(self._maps)
        return Pair(self._maps[first], self._maps[second])

    def read(self, epoch: int, number: int) -> Sample:
        scans = self.pair(epoch, number)
        maps = self._preprocessor.preparation.cut(self._maps_of(scans), scans)
        if self._config.kept is None:
            fixed, moving = ((self._seed, epoch, number, side) for side in _SIDES)
            return partial(self._make, maps, (fixed, moving))
        return partial(self._reused, scans, maps, self._drawn(epoch, number, self._config.kept))

    def _drawn(self, epoch: int, number: int, kept: int) -> Seeds:
        """Seeds of two kept images, which differ also where both are of one label map."""
        random = generator(self._seed, epoch, number, Stream.SYNTHESIS_KEPT)
        first = int(torch.randint(kept, (), generator=random))
        second = (first + int(torch.randint(1, kept, (), generator=random))) % kept
        stream = Stream.SYNTHESIS_KEPT
        return (self._seed, first, stream), (self._seed, second, stream)

    def _reused(
        self, scans: Pair, maps: tuple[CachedArray, CachedArray], seeds: Seeds, device: torch.device
    ) -> ImagePair:
        """As `_make`, but each image is synthesised only when it is first asked for."""
        sides = zip((scans.fixed, scans.moving), maps, seeds, strict=True)
        (fixed, fixed_map), (moving, moving_map) = (
            self._kept(
                [name_of("labels", scan.path), *numbers],
                partial(self._image, stored, numbers, device),
                device,
            )
            for scan, stored, numbers in sides
        )
        return self._pair(fixed, moving, (fixed_map, moving_map))

    def _make(
        self, maps: tuple[CachedArray, CachedArray], seeds: Seeds, device: torch.device
    ) -> ImagePair:
        """Synthesise both images on the network's grid, the fixed one first.

        Args:
            maps: on the network's grid, but not shrunk.
            seeds: that all else about the images follows from.
            device: of the result.
        """
        fixed, fixed_map = self._image(maps[0], seeds[0], device)
        moving, moving_map = self._image(maps[1], seeds[1], device)
        return self._pair(fixed, moving, (fixed_map, moving_map))

    def _pair(self, fixed: Volumes, moving: Volumes, maps: tuple[LabelMap, LabelMap]) -> ImagePair:
        if not self._preprocessor.labels:
            return ImagePair(fixed, moving)
        return ImagePair(fixed, moving, self._preprocessor.stacks(*maps))

    def _image(
        self, stored: CachedArray, numbers: tuple[int, ...], device: torch.device
    ) -> tuple[torch.Tensor, LabelMap]:
        shrink = self._preprocessor.shrink
        labels = torch.from_numpy(stored.astype(np.int32))[None, None].to(device)
        sides = block_sides(stored.shape, shrink)
        shape = triple([size // side for size, side in zip(stored.shape, sides, strict=True)])
        random = generator(*numbers)
        field = random_deformation(shape, shrink, self._config.deformation, random, device)
        seed = int(torch.randint(2**62, (), generator=random))
        return ImageSynthesizer(self._config.appearance, shrink, seed)(labels, field)

    def _maps_of(self, scans: Pair) -> tuple[CachedArray, CachedArray]:
        fixed, moving = (self._read(scan) for scan in (scans.fixed, scans.moving))
        return fixed, moving

    def _read(self, scan: Scan) -> CachedArray:
        found = self._preprocessor.cache.labels(scan.path)
        if found.min() < 0 or found.max() == 0:
            raise ImageError(f"{scan.path}: no label map: needs labels above 0, and none below")
        if found.max() > _GREATEST_LABEL:
            raise ImageError(
                f"{scan.path}: has a label {found.max()}; an intensity is drawn for every number "
                f"up to the greatest, {_GREATEST_LABEL} at most; number the structures of all maps "
                "from 1 on"
            )
        return found
