"""Wall time per pair: what each stage took, and when refining must end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds since some moment, as `time.monotonic`."""


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    clock: Clock = time.monotonic

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to `stage`."""
        start = self.clock()
        try:
            yield
        finally:
            taken = self.seconds.get(stage, 0.0) + self.clock() - start
            self.seconds[stage] = round(taken, 3)

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(self.seconds.values())


@dataclass
class Budget:
    """Turns the wall time that a pair may take into the moment at which refining must end.

    What comes after refining is kept free: bringing the field to the full grid and writing it.
    Before it was ever timed, it is guessed from reading, which touches as many voxels.
    """

    seconds: float | None
    slowest_end: float = 0.0
    """Seconds from the end of refining to the written field, the worst so far."""
    clock: Clock = time.monotonic

    def deadline(self, reading: float) -> float | None:
        """In seconds of the clock, for a pair that took `reading` seconds so far."""
        if self.seconds is None:
            return None
        reserve = 0.5 + 1.5 * self.slowest_end if self.slowest_end else max(2.0, 12 * reading)
        return self.clock() + self.seconds - reading - reserve

    def note_end(self, refined_at: float) -> None:
        """Learn from a pair whose field is written how long that takes after refining."""
        self.slowest_end = max(self.slowest_end, self.clock() - refined_at)

    def is_exceeded(self, seconds: float) -> bool:
        """True if a pair took longer than it may."""
        return self.seconds is not None and seconds > self.seconds
