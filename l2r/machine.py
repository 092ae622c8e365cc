"""The machine as this process may use it."""

import os


def usable_cores() -> int:
    """Count the cores that this process may use: all, where a system does not restrict it."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1
