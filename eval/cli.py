"""The judge's command line: `python -m eval score SUBMISSION ...`."""

from pathlib import Path
from typing import Annotated

import typer

from eval.leaderboard import cli as leaderboard
from l2r.console import one_line_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(leaderboard.app, name="leaderboard")


@app.callback()  # with it, `score` is a command of its own even while it is the only one
def judge() -> None:
    """Score submissions as the organisers do."""


@app.command()
def score(
    submission: Annotated[Path, typer.Argument(help="folder or zip of the fields")],
    *,
    task: Annotated[str, typer.Option(help="name of the task, or path of a task file")],
    dataset: Annotated[Path, typer.Option(help="the pair list, a JSON file")],
    ground_truth: Annotated[
        Path | None,
        typer.Option(help="folder of images, labels and landmarks, by default the pair list's"),
    ] = None,
    split: Annotated[str, typer.Option(help="which list of pairs")] = "validation",
    output: Annotated[Path | None, typer.Option(help="write metrics.json here")] = None,
) -> None:
    """Score a submission: a table to read, and the organisers' metrics.json."""
    # Not at the top: --help should not wait for numpy, scipy and nibabel.
    from eval.session import Request, run  # noqa: PLC0415

    with one_line_errors():
        run(Request(submission, task, dataset, ground_truth or dataset.parent, split, output))
