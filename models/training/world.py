"""The processes of one training, as `torchrun` starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class World:
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def agree(self, *, stop: bool) -> bool:
        """Whether any of the processes wants to stop."""
        if self.size == 1:
            return stop
        votes: list[bool | None] = [None] * self.size
        distributed.all_gather_object(votes, stop)
        return any(votes)

    def mean(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Of all processes."""
        if self.size == 1:
            return values
        everyone: list[tuple[float, ...] | None] = [None] * self.size
        distributed.all_gather_object(everyone, values)
        spoken = [values for values in everyone if values is not None]
        return tuple(sum(column) / self.size for column in zip(*spoken, strict=True))


ALONE = World()


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """The processes that `torchrun` has started, or this one alone.

    Args:
        device: the backend follows from it.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
