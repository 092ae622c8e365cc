"""Batches of an epoch, read by a thread before they are needed."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from models.descent.objective import ImagePair
from models.training.config import TrainConfig
from models.training.dataset import Dataset, Sample, collate
from models.training.distributed import DistributedContext

_AHEAD = 2
"""Steps whose samples are read before they are needed."""


class Loader:
    """The batches of each step of this process.

    All processes together take the samples in their order, so that two processes see in a step what
    one of twice the batch would see.
    """

    def __init__(
        self, dataset: Dataset, config: TrainConfig, processes: DistributedContext
    ) -> None:
        self._dataset, self._config, self._processes = dataset, config, processes

    @property
    def samples(self) -> int:
        """Samples of one step, of all processes."""
        return self._config.batch * self._config.accumulate * self._processes.size

    @property
    def steps(self) -> int:
        """Steps of an epoch; each leaves out other samples, too few for one more step."""
        return len(self._dataset) // self.samples

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[list[ImagePair], float]]:
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
                yield [self._make(batch) for batch in batches], waited

    def _read(self, epoch: int, step: int) -> list[list[Sample]]:
        config = self._config
        first = step * self.samples + self._processes.rank * config.batch * config.accumulate
        return [
            [self._dataset.read(epoch, start + number) for number in range(config.batch)]
            for start in range(first, first + config.batch * config.accumulate, config.batch)
        ]

    def _make(self, batch: list[Sample]) -> ImagePair:
        return collate([sample(self._processes.device) for sample in batch])
