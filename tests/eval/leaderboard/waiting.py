"""Waiting for another thread or process."""

import time
from collections.abc import Callable


def eventually(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is true that happens in its own time."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
