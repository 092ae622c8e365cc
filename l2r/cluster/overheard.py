"""Keeps back what processes write to stderr while they start, until it is known if they run."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Overheard:
    """Lines of a pipe that stands in for stderr: kept at first, handed on later."""

    def __init__(self, source: int, stderr: int) -> None:
        """Listen to `source` until all that write to it have ended."""
        self._kept, self._stderr = b"", stderr
        self._source, self._passing, self._lock = source, False, threading.Lock()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while chunk := os.read(self._source, 65536):
            with self._lock:
                if self._passing:
                    os.write(self._stderr, chunk)
                else:
                    self._kept += chunk
        os.close(self._source)

    def last_line(self) -> str:
        """The line that was written last, or nothing."""
        self._thread.join(timeout=1)  # a process may hold the pipe open
        with self._lock:
            lines = self._kept.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def hand_on(self) -> None:
        """Write to stderr what was kept, and what comes."""
        with self._lock:
            os.write(self._stderr, self._kept)
            self._passing = True


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """Processes that start within the block have a pipe as their stderr."""
    source, target = os.pipe()
    stderr = os.dup(2)
    os.dup2(target, 2)
    os.close(target)
    overheard = Overheard(source, stderr)
    try:
        yield overheard
    finally:
        os.dup2(stderr, 2)
