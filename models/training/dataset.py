"""What a training draws its pairs from.

Whatever is random in a sample depends on the seed, the epoch and the sample's number alone, never
on what was drawn before. So a training that is taken up again, or spread over several processes,
sees the same samples as one that ran through.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from models.descent.objective import ImagePair


class Source(ABC):
    """Pairs by epoch and number."""

    @abstractmethod
    def __len__(self) -> int:
        """How many samples an epoch has."""

    @abstractmethod
    def read(self, epoch: int, number: int) -> Any:
        """What a sample needs from the disk; called by a thread of its own.

        Raises:
            ImageError: a file cannot be used.
        """

    @abstractmethod
    def make(self, read: Any, device: torch.device) -> ImagePair:
        """A batch of one, made on the device of the training from what was read."""


def seeded(*numbers: int) -> int:
    """A seed that differs in all its bits from that of other numbers."""
    # A sequence is as if zeros followed it, so its length counts too.
    (state,) = np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)
    return int(state >> np.uint64(1))  # torch takes 63 bits


def drawn(*numbers: int) -> torch.Generator:
    """A stream on the CPU, so that all devices draw alike."""
    return torch.Generator().manual_seed(seeded(*numbers))


def stacked(cases: Sequence[ImagePair]) -> ImagePair:
    """Several batches as one."""
    if len(cases) == 1:
        return cases[0]
    maps = [case.labels for case in cases if case.labels is not None]
    return ImagePair(
        torch.cat([case.fixed for case in cases]),
        torch.cat([case.moving for case in cases]),
        (torch.cat([a for a, _ in maps]), torch.cat([b for _, b in maps])) if maps else None,
    )


def apart(case: ImagePair) -> list[ImagePair]:
    """The batches of one that a batch is made of."""

    def cut(number: int) -> ImagePair:
        one = slice(number, number + 1)
        labels = case.labels and (case.labels[0][one], case.labels[1][one])
        return ImagePair(case.fixed[one], case.moving[one], labels)

    return [cut(number) for number in range(len(case.fixed))]
