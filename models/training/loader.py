"""The batches of an epoch, read by a thread before they are needed."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from models.descent.objective import ImagePair
from models.training.config import TrainConfig
from models.training.dataset import Source, stacked
from models.training.distributed import World

_AHEAD = 2
"""Steps whose samples are read before they are needed."""


class Batches:
    """What each step of this process computes on.

    All processes together take the samples in their order, so that two processes see in a step what
    one of twice the batch would see.
    """

    def __init__(self, source: Source, config: TrainConfig, world: World) -> None:
        self._source, self._config, self._world = source, config, world

    @property
    def samples(self) -> int:
        """Of one step, of all processes."""
        return self._config.batch * self._config.accumulate * self._world.size

    @property
    def steps(self) -> int:
        """Of an epoch; samples that do not fill a step are left out, other ones in each epoch."""
        return len(self._source) // self.samples

    def of(self, epoch: int, first: int = 0) -> Iterator[tuple[list[ImagePair], float]]:
        """The batches of each step from `first` on, and the seconds that were waited for them.

        Raises:
            ImageError: a file cannot be used.
        """
        with ThreadPoolExecutor(1, "read") as reader:
            ahead = range(first, min(first + _AHEAD, self.steps))
            coming = [reader.submit(self._read, epoch, step) for step in ahead]
            for step in range(first, self.steps):
                began = time.monotonic()
                batches = coming.pop(0).result()
                waited = time.monotonic() - began
                if step + _AHEAD < self.steps:
                    coming.append(reader.submit(self._read, epoch, step + _AHEAD))
                yield [self._made(batch) for batch in batches], waited

    def _read(self, epoch: int, step: int) -> list[list[Any]]:
        config = self._config
        first = step * self.samples + self._world.rank * config.batch * config.accumulate
        return [
            [self._source.read(epoch, start + number) for number in range(config.batch)]
            for start in range(first, first + config.batch * config.accumulate, config.batch)
        ]

    def _made(self, batch: list[Any]) -> ImagePair:
        return stacked([self._source.make(read, self._world.device) for read in batch])
