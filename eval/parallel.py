"""The same work for many items, in one process or in several."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from l2r.errors import ScoringError

ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")


def in_order(
    work: Callable[[ItemT], OutcomeT], items: list[ItemT], jobs: int
) -> Iterator[OutcomeT]:
    """Outcomes in the order of the items, each as soon as it and all before it are known.

    Args:
        work: a picklable function or object where there is more than one process.
        items: what it is called with; small and picklable, like the outcomes.
        jobs: processes. Each works on one item at a time, so memory grows with it and not with
            the number of items.

    Raises:
        ScoringError: a process was killed, or there can be no more than this one.
    """
    if jobs == 1 or len(items) == 1:
        yield from map(work, items)
        return
    with _pool(min(jobs, len(items))) as pool:
        try:
            yield from pool.map(work, items)
        except BrokenProcessPool:
            raise ScoringError(
                f"one of {jobs} scoring processes was killed, probably for want of memory; try "
                "fewer with --jobs"
            ) from None


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Start processes afresh."""
    try:
        # Not forked: a copy of a process with threads may hang.
        return ProcessPoolExecutor(jobs, get_context("spawn"))
    except OSError as cause:
        raise ScoringError(
            f"several processes need shared memory, but /dev/shm gives none: {cause.strerror}; "
            "leave out --jobs, or start the container with --shm-size 64m"
        ) from None
