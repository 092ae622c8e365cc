"""The machine as this process may use it."""

import os
import resource
import sys


def usable_cores() -> int:
    """Count the cores that this process may use: all, where a system does not restrict it."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def peak_memory_gib() -> float:
    """Most memory that this process has held so far."""
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
