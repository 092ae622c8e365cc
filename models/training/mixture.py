"""Two sources as one."""

from dataclasses import dataclass
from typing import Any

import torch

from models.descent.objective import ImagePair
from models.training.dataset import Source


@dataclass(frozen=True)
class Read:
    """What a sample needs, and the source that knows how to make it."""

    source: Source
    read: Any


class Mixed(Source):
    """Real pairs, evenly spread among synthetic ones.

    All samples of a batch are of one kind, so that either all of them have labels or none has. Real
    pairs are taken up where the epoch before left them: each has its turn.
    """

    def __init__(self, real: Source, synthetic: Source, share: float, batch: int) -> None:
        """`share`: of the batches that are real; an epoch is as long as the synthetic one."""
        self._real, self._synthetic = real, synthetic
        self._share, self._batch = share, batch

    def __len__(self) -> int:
        return len(self._synthetic)

    def read(self, epoch: int, number: int) -> Read:
        batch, place = divmod(number, self._batch)
        before = self._real_ones(batch)
        if self._real_ones(batch + 1) == before:
            return Read(self._synthetic, self._synthetic.read(epoch, number))
        per_epoch = self._real_ones(len(self) // self._batch)
        turn = (epoch * per_epoch + before) * self._batch + place
        return Read(self._real, self._real.read(*divmod(turn, len(self._real))))

    def make(self, read: Read, device: torch.device) -> ImagePair:
        return read.source.make(read.read, device)

    def _real_ones(self, batches: int) -> int:
        """Of the first batches of an epoch."""
        return int(batches * self._share)
