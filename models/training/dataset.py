"""Samples of a training, and the random numbers that they follow from.

Whatever is random in a sample depends on the seed, the epoch and the sample's number alone, never
on what was drawn before. So a training that is resumed, or spread over several processes, sees the
same samples as one that ran through.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import torch

from models.descent.objective import ImagePair

Sample: TypeAlias = Callable[[torch.device], ImagePair]
"""Makes a batch of one on a device, from what has been read from the disk."""


class Dataset(ABC):
    """Samples by epoch and number."""

    @abstractmethod
    def __len__(self) -> int:
        """Samples of an epoch."""

    @abstractmethod
    def read(self, epoch: int, number: int) -> Sample:
        """Read from the disk whatever a sample needs; a thread of its own calls this.

        Raises:
            ImageError: a file cannot be used.
        """


class Stream(IntEnum):
    """Purposes of random numbers, a part of the seed, so that no two purposes share a stream.

    The large ones stand in the place of a process's rank, which no process has.
    """

    AUGMENT_BOTH = 1
    """Both images of a pair together."""
    AUGMENT_FIXED = 2
    AUGMENT_MOVING = 3
    AUGMENT = 4
    SYNTHESIS_KEPT = 2**32 - 5
    """Images that are kept, and the choice of them."""
    SYNTHESIS_MOVING = 2**32 - 4
    SYNTHESIS_FIXED = 2**32 - 3
    SYNTHESIS_MAPS = 2**32 - 2
    """The choice of label maps."""
    GUIDANCE = 2**32 - 1
    """Initial weights of pseudo-labellers, and the steps at which they act."""


def derive_seed(*numbers: int) -> int:
    """Hash numbers to a seed that differs in all its bits from that of other numbers."""
    # A sequence is as if zeros followed it, so its length counts too.
    (state,) = np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)
    return int(state >> np.uint64(1))  # torch takes 63 bits


def generator(*numbers: int) -> torch.Generator:
    """Start a stream of random numbers on the CPU, so that all devices draw alike."""
    return torch.Generator().manual_seed(derive_seed(*numbers))


def collate(cases: Sequence[ImagePair]) -> ImagePair:
    """Join several batches into one."""
    if len(cases) == 1:
        return cases[0]
    maps = [case.labels for case in cases if case.labels is not None]
    return ImagePair(
        torch.cat([case.fixed for case in cases]),
        torch.cat([case.moving for case in cases]),
        (torch.cat([a for a, _ in maps]), torch.cat([b for _, b in maps])) if maps else None,
    )


def unbatch(case: ImagePair) -> list[ImagePair]:
    """Split a batch into batches of one."""

    def cut(number: int) -> ImagePair:
        one = slice(number, number + 1)
        labels = case.labels and (case.labels[0][one], case.labels[1][one])
        return ImagePair(case.fixed[one], case.moving[one], labels)

    return [cut(number) for number in range(len(case.fixed))]
