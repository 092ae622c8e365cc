"""The processes of one training, as `torchrun` starts them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

CPU = torch.device("cpu")


@dataclass(frozen=True)
class DistributedContext:
    """Rank of this process, and the number of all."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def is_main(self) -> bool:
        """True in the process that writes files and prints."""
        return self.rank == 0

    def any(self, *wishes: bool) -> tuple[bool, ...]:
        """For each wish, whether any of the processes has it."""
        if self.size == 1:
            return wishes
        votes = torch.tensor(wishes, dtype=torch.uint8, device=self.device)
        distributed.all_reduce(votes, distributed.ReduceOp.MAX)
        return tuple(map(bool, votes.tolist()))

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Mean of each value over all processes, which have the same names in the same order."""
        if self.size == 1:
            return dict(values)
        total = torch.tensor([*values.values()], dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return dict(zip(values, (total / self.size).tolist(), strict=True))


@contextmanager
def distributed_context(device: torch.device) -> Iterator[DistributedContext]:
    """The processes that `torchrun` has started, or this one alone.

    Args:
        device: of each process; on a machine with several GPUs each takes one of its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield DistributedContext(device=device)
        return
    backend = "gloo"
    if device.type == "cuda":
        backend, device = "nccl", torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group(backend)
    try:
        yield DistributedContext(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
