"""Parts that all command lines share: one-line errors, and progress that fits where it is shown."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from l2r.errors import L2RError

Advance = Callable[[str], None]
"""Called with a line of news when one item is done."""

USAGE = 2
"""Exit code where the input or an argument cannot be used."""


_PIPED_WIDTH = 1000
"""Characters; a table only takes what it needs, and nobody's file should lose a column."""


def table_console() -> Console:
    """For tables on stdout: as wide as the terminal, or as any table needs in a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPED_WIDTH)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an expected failure as one line and exit with `USAGE`."""
    try:
        yield
    except L2RError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE) from None


@contextmanager
def progress(total: int, title: str, *, time_left: bool = False) -> Iterator[Advance]:
    """A bar with the time left on a terminal, numbered lines elsewhere; both on stderr.

    Args:
        total: number of items.
        title: of the bar.
        time_left: numbered lines estimate it too, for long lists.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            row = bar.add_task(title, total=total)

            def advance(news: str) -> None:
                bar.console.print(news, highlight=False, markup=False, soft_wrap=True)
                bar.advance(row)

            with _logging_through(console):
                yield advance
    else:
        done, start = 0, time.monotonic()

        def count(news: str) -> None:
            nonlocal done
            done += 1
            left = round((time.monotonic() - start) * (total - done) / done)
            ahead = f", {timedelta(seconds=left)} left" if time_left else ""
            sys.stderr.write(f"[{done}/{total}{ahead}] {news}\n")
            sys.stderr.flush()

        with _logging_through(console):
            yield count


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


@contextmanager
def _logging_through(console: Console) -> Iterator[None]:
    """Log records above the bar instead of through it."""
    handler = _ConsoleHandler(console)
    logger = logging.getLogger()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.levelname.lower()}: {self.format(record)}"
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
