"""Seconds and memory of something that a device does."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

ENOUGH_S = 0.5
MOST_RUNS = 20


def now(device: torch.device) -> float:
    """Seconds, with everything done that was begun."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measure(call: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Median of some runs after the first one, which may compile, and the peak memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    first, *runs = _runs(call, device)
    return {
        "ms": 1e3 * statistics.median(runs or [first]),
        "first ms": 1e3 * first,
        "runs": len(runs),
        "GiB": peak_gib(device),
    }


def _runs(call: Callable[[], object], device: torch.device) -> list[float]:
    seconds: list[float] = []
    while len(seconds) < 2 or (sum(seconds[1:]) < ENOUGH_S and len(seconds) <= MOST_RUNS):
        start = now(device)
        call()
        seconds.append(now(device) - start)
    return seconds


def peak_gib(device: torch.device) -> float:
    """The peak memory of the device since it was last reset, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextmanager
def tf32(*, on: bool) -> Iterator[None]:
    """Let convolutions and products round to TF32, or not."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = on
    try:
        yield
    finally:
        for place, was in zip(places, before, strict=True):
            place.allow_tf32 = was
