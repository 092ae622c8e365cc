"""Batches of a list's items, each of which keeps a worker busy for about a second.

A task costs Dask some 20 ms of its four processes, so a pair of a few milliseconds must not be a
task of its own; one of many seconds is.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
TASK_S = 1.0
"""A worker ends its task when so much has passed, even if items are left."""
LARGEST = 50
"""Items of a batch."""
WINDOW = 500
"""Items that the scheduler knows of; more than any cluster has workers."""
FIRST = 32
"""The same until one has ended and shows how long they take; or two a worker, if that is more."""


@dataclass(frozen=True)
class Part(Generic[ResultT]):
    """Outcomes of the first items of a batch, in their order; the others were not begun."""

    outcomes: list[ResultT] = field(default_factory=list)
    seconds: float = 0.0


def work_through(work: Callable[[TaskT], ResultT], batch: list[TaskT]) -> Part[ResultT]:
    """Work at the items of a batch until time is up.

    An item that fails ends the batch before it, so that the outcomes before it are kept; sent again
    as the first one, it raises.
    """
    start, outcomes = time.monotonic(), list[ResultT]()
    for item in batch:
        try:
            outcomes.append(work(item))
        except Exception:
            if not outcomes:
                raise
            break
        if time.monotonic() - start > TASK_S:
            break
    return Part(outcomes, time.monotonic() - start)


class Batches(Generic[TaskT]):
    """The items that are still to be sent, and how many of them at a time."""

    def __init__(self, items: Iterable[TaskT], workers: int) -> None:
        """`workers`: as many as there are now."""
        self._waiting, self._sent = iter(items), 0
        self._size, self._window = 1, max(FIRST, 2 * workers)

    def more(self) -> Iterator[list[TaskT]]:
        """Batches until enough is with the scheduler."""
        while self._sent < self._window and (batch := list(islice(self._waiting, self._size))):
            self._sent += len(batch)
            yield batch

    def end(self, batch: list[TaskT], part: Part[ResultT]) -> list[TaskT]:
        """Learn from the end of a task; the items of it that must be sent again."""
        made = len(part.outcomes)
        if made:
            fitting = int(TASK_S * made / max(part.seconds, 1e-3))
            self._size = max(1, min(fitting, 2 * self._size, LARGEST))
            self._window = WINDOW
        self._sent -= made
        return batch[made:]
