"""Work on a grid in slabs of planes, shared out over the cores: memory does not grow with it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from l2r.arrays import Shape
from l2r.machine import usable_cores

_POINTS = 1 << 17
"""Voxels of a slab, about: few enough for the cache, enough that threads seldom meet in Python."""


def over_slabs(shape: Shape, work: Callable[[slice], None]) -> None:
    """Call `work` with slices of the last axis that together cover it.

    scipy and numpy let other threads run while they compute, so threads are enough.
    """
    with ThreadPoolExecutor(usable_cores(), "slab") as pool:
        for _ in pool.map(work, _slabs(shape)):
            pass  # an exception comes out here


def _slabs(shape: Shape) -> Iterator[slice]:
    planes = max(1, _POINTS // (shape[0] * shape[1]))
    for start in range(0, shape[2], planes):
        yield slice(start, min(start + planes, shape[2]))
