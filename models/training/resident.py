"""Images that a training asks for again and again stay on its GPU.

To normalise and upload a brain takes a processor longer than a GPU needs for a step.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch

Staying = TypeVar("Staying")

_FREE = 0.5
"""Share of a GPU's memory that is left to the training itself."""


def has_room(device: torch.device) -> bool:
    """Tell whether something may stay on a device: a GPU must have half of its memory free.

    On a CPU nothing stays; files that are mapped into memory are as near.
    """
    if device.type != "cuda":
        return False
    free, whole = torch.cuda.mem_get_info(device)
    return free > _FREE * whole


class Resident(Generic[Staying]):
    """Things by name that stay on a device once they were made, while it has room."""

    def __init__(self, room: Callable[[torch.device], bool] = has_room) -> None:
        self._room, self._kept = room, dict[Hashable, Staying]()

    def find(self, name: Hashable) -> Staying | None:
        """Return what stayed under that name."""
        return self._kept.get(name)

    def keep(self, name: Hashable, thing: Staying, device: torch.device) -> None:
        """Let it stay, if there is room on the device where it is."""
        if self._room(device):
            self._kept[name] = thing
