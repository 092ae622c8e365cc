"""What `python -m eval score` does, once its arguments are parsed."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eval.evaluate import score
from eval.report import Report, write_report
from eval.table import line, table
from l2r.console import progress
from l2r.dataset import read_pairs
from l2r.errors import OutputError
from l2r.submission import open_submission
from l2r.task import load_task

_PIPED_WIDTH = 1000
"""Characters; a table only takes what it needs, and nobody's file should lose a column."""


@dataclass(frozen=True)
class Request:
    """The command's arguments."""

    submission: Path
    task: str
    dataset: Path
    ground_truth: Path
    split: str
    output: Path | None


def run(request: Request) -> None:
    """Score, print the table, and write `metrics.json` where that is wanted.

    Raises:
        L2RError: the submission or what it is compared with cannot be used.
    """
    if request.output is not None and not request.output.parent.is_dir():
        raise OutputError(f"{request.output}: the folder does not exist; make it first")
    task = load_task(request.task)
    pairs = read_pairs(request.dataset, request.ground_truth, request.split)
    submission = open_submission(request.submission)
    with progress(len(pairs), "scoring") as advance:
        report = score(
            submission,
            task,
            pairs,
            request.ground_truth,
            done=lambda case: advance(line(case)),
        )
    console = Console()
    show(report, console if console.is_terminal else Console(width=_PIPED_WIDTH))
    if request.output is not None:
        write_report(request.output, report)


def show(report: Report, console: Console) -> None:
    """Print the table and the notes."""
    console.print(table(report))
    for note in report.notes():
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
