"""A training on the terminal: a bar over the steps of an epoch, and a line per epoch."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.training.logging import EpochLog, Logger, StepLog


def _bar() -> Progress:
    """Build a bar of one row."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    bar = Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    bar.add_task("epoch")
    return bar


@dataclass(frozen=True)
class ProgressBar(Logger):
    """The bar is shown on a terminal only; the lines go to stderr in any case."""

    whose: str = ""
    """What a training within the training is called, with a comma."""
    bar: Progress = field(default_factory=_bar)

    def __enter__(self) -> "ProgressBar":
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def for_part(self, folder: Path) -> "ProgressBar":
        return replace(self, whose=f"{folder.name}, ")

    def step(self, news: StepLog) -> None:
        loss = "skipped" if news.losses is None else f"{sum(news.losses.values()):.4f}"
        text = f"{self.whose}epoch {news.epoch + 1}, loss {loss}"
        (row,) = self.bar.task_ids
        self.bar.update(row, total=news.steps, completed=news.step, description=text)

    def epoch(self, news: EpochLog) -> None:
        line = f"{self.whose}{news}"
        if self.bar.disable:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        else:
            self.bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
