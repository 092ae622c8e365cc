"""A training on the terminal: a bar over the steps of an epoch, and a line per epoch."""

import sys
from copy import copy
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.training.journal import EpochNews, Journal, StepNews


class Screen(Journal):
    """The bar is shown on a terminal only; the lines go to stderr in any case."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
        self._bar = Progress(
            TextColumn("{task.description}"),
            *columns,
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._row = self._bar.add_task("epoch")
        self._whose = ""

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def of_part(self, folder: Path) -> "Screen":
        part = copy(self)
        part._whose = f"{folder.name}, "
        return part

    def step(self, news: StepNews) -> None:
        loss = "skipped" if news.losses is None else f"{sum(news.losses.values()):.4f}"
        text = f"{self._whose}epoch {news.epoch + 1}, loss {loss}"
        self._bar.update(self._row, total=news.steps, completed=news.step, description=text)

    def epoch(self, news: EpochNews) -> None:
        if self._bar.disable:
            sys.stderr.write(f"{self._whose}{news}\n")
            sys.stderr.flush()
        else:
            line = f"{self._whose}{news}"
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
