"""Loggers of a training's steps and epochs."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from l2r.errors import OutputError


@dataclass(frozen=True)
class StepLog:
    """One step."""

    epoch: int
    step: int
    steps: int
    """Of the epoch."""
    losses: dict[str, float] | None
    """None if the step was not taken, because something was not finite."""
    waited_s: float
    """For images to be read."""
    seconds: float = 0.0
    """Wall time, reading and making of the pairs included."""
    parts: dict[str, float] = field(default_factory=dict)
    """Of a summed similarity, each without its weight."""


@dataclass
class EpochLog:
    """One epoch; counted from 0."""

    epoch: int
    epochs: int
    learning_rate: float
    training: dict[str, float]
    """Mean of each loss over the steps."""
    validation: dict[str, float] = field(default_factory=dict)
    """Mean of each loss over the validation pairs."""
    scores: dict[str, float] = field(default_factory=dict)
    """Whatever else the validation pairs were judged by."""
    best: bool = False
    """Whether no epoch before was better, see `TrainConfig.best_by`."""
    training_parts: dict[str, float] = field(default_factory=dict)
    """Of a summed similarity, each without its weight: means over the steps."""
    validation_parts: dict[str, float] = field(default_factory=dict)
    """The same, means over the validation pairs."""
    seconds_per_step: float = field(default=0.0, compare=False)
    """Wall time, reading and making of the pairs included."""
    peak_memory_gib: float = field(default=0.0, compare=False)
    """Of the device, or of the process where that is the CPU, since it began."""
    picture: UInt8[np.ndarray, "height width 3"] | None = None
    """Of one validation pair."""

    def __str__(self) -> str:
        parts = [f"epoch {self.epoch + 1}/{self.epochs}", f"training {_written(self.training)}"]
        if self.validation:
            star = ", the best so far" if self.best else ""
            parts.append(f"validation {_written(self.validation)}{star}")
        if self.scores:
            parts.append(", ".join(f"{name} {value:.4f}" for name, value in self.scores.items()))
        return "; ".join(parts)


class Logger:
    """Is told of steps and epochs, in the process that leads; each kind takes what it wants."""

    def step(self, news: StepLog) -> None:
        """A step was done, or skipped."""

    def epoch(self, news: EpochLog) -> None:
        """An epoch was done, and is on the disk."""

    def for_part(self, folder: Path) -> "Logger":  # noqa: ARG002 - for those that write files
        """A logger of a training within the training, which has a folder of its own."""
        return self

    def close(self) -> None:
        """The training has ended, well or not."""


class LogFile(Logger):
    """`log.jsonl`, a line per epoch."""

    NAME: ClassVar[str] = "log.jsonl"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.NAME

    def for_part(self, folder: Path) -> "LogFile":
        return LogFile(folder)

    def epoch(self, news: EpochLog) -> None:
        """Add a line.

        Raises:
            OutputError: the file cannot be written to.
        """
        line = json.dumps(_record(news))
        try:
            with self._path.open("a") as file:
                file.write(line + "\n")
        except OSError as cause:
            raise OutputError(f"{self._path}: cannot be written: {cause.strerror}") from None


def _record(news: EpochLog) -> dict[str, object]:
    record = asdict(news) | {"epoch": news.epoch + 1}
    del record["picture"]
    return record


def _written(losses: dict[str, float]) -> str:
    parts = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    return f"{sum(losses.values()):.4f} ({parts})" if len(losses) > 1 else parts
