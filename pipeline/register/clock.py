"""Wall time per pair: what each stage took, and when refining must end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to `stage`."""
        start = time.monotonic()
        try:
            yield
        finally:
            taken = self.seconds.get(stage, 0.0) + time.monotonic() - start
            self.seconds[stage] = round(taken, 3)

    @property
    def total(self) -> float:
        """Of all stages, in seconds."""
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

    def deadline(self, reading: float) -> float | None:
        """In seconds of `time.monotonic`, for a pair that took `reading` seconds so far."""
        if self.seconds is None:
            return None
        reserve = 0.5 + 1.5 * self.slowest_end if self.slowest_end else max(2.0, 12 * reading)
        return time.monotonic() + self.seconds - reading - reserve
