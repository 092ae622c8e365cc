"""The judge's command line: `python -m eval score SUBMISSION ...`."""

from pathlib import Path
from typing import Annotated

import typer

from eval.figures import cli as figures
from eval.leaderboard import cli as leaderboard
from eval.leaderboard.cli import JudgedTask
from l2r.cluster.option import ClusterOption
from l2r.console import one_line_errors

commands = typer.Typer()
"""Commands of `python -m eval` and of `regatta`."""
commands.add_typer(leaderboard.app, name="leaderboard", rich_help_panel="Score")
commands.add_typer(figures.app, name="figure", rich_help_panel="Score")
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(commands)

PairListPath = Annotated[Path | None, typer.Option(help="the pair list, a JSON file")]
Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--evaluation-config",
        help="the organisers' own JSON file of metrics and pairs; may be given several times",
    ),
]
SplitName = Annotated[str, typer.Option(help="which list of pairs")]
ReportTask = Annotated[str, typer.Option("--task", help="name of the task, or a task file")]
Jobs = Annotated[int, typer.Option(min=1, help="how many cases are scored at the same time")]


@app.callback()
def judge() -> None:
    """Score submissions as the organisers do."""


@commands.command(
    rich_help_panel="Score",
    epilog="Example: regatta score output --task aseg --dataset sample/SAMPLE_dataset.json",
)
def score(  # noqa: PLR0913 - a command has as many options as it has
    submission: Annotated[Path, typer.Argument(help="folder or zip of the fields")],
    *,
    task: JudgedTask,
    dataset: PairListPath = None,
    evaluation_config: Configs = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(help="folder of images, labels and landmarks, by default the pair list's"),
    ] = None,
    split: SplitName = "validation",
    jobs: Jobs = 1,
    cluster: ClusterOption = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            help="write the scores here: .json as the organisers do, .csv or .parquet as one long "
            "table; may be given several times"
        ),
    ] = None,
) -> None:
    """Score a submission: a table to read, and files of the scores."""
    from l2r.errors import DatasetError  # noqa: PLC0415
    from l2r.schema import read_json  # noqa: PLC0415

    with one_line_errors():
        if dataset is not None:
            read_json(dataset, DatasetError)  # a wrong path is named at once
        # Not at the top: --help should not wait for numpy, scipy and nibabel.
        from eval.commands import Reference, ScoreRequest, run  # noqa: PLC0415

        reference = Reference(task, dataset, tuple(evaluation_config or ()), ground_truth, split)
        run(ScoreRequest(submission, reference, tuple(output or ()), jobs, cluster))


@commands.command(rich_help_panel="Score", epilog="Example: regatta grand-challenge --task lumir24")
def grand_challenge(  # noqa: PLR0913
    *,
    task: JudgedTask,
    dataset: Annotated[
        Path | None,
        typer.Option(help="the pair list; by default the ground truth's one *_dataset.json"),
    ] = None,
    evaluation_config: Configs = None,
    split: SplitName = "validation",
    jobs: Jobs = 1,
    socket: Annotated[
        str | None, typer.Option(help="output socket of the fields, if a job has several outputs")
    ] = None,
    submission: Annotated[
        Path, typer.Option("--input", help="folder of predictions.json, or of the fields")
    ] = Path("/input"),
    ground_truth: Annotated[
        Path, typer.Option(help="folder of images, labels and landmarks")
    ] = Path("/opt/ml/input/data/ground_truth"),
    output: Annotated[Path, typer.Option(help="the scores, in strict JSON")] = Path(
        "/output/metrics.json"
    ),
) -> None:
    """Be the evaluation container of a phase on grand-challenge.org."""
    from eval.commands import Reference  # noqa: PLC0415
    from eval.grand_challenge import evaluate  # noqa: PLC0415

    with one_line_errors():
        reference = Reference(task, dataset, tuple(evaluation_config or ()), ground_truth, split)
        evaluate(submission, reference, output, socket=socket, jobs=jobs)


@commands.command(
    rich_help_panel="Score",
    epilog="Example: regatta report output --task aseg --dataset sample/SAMPLE_dataset.json",
)
def report(  # noqa: PLR0913 - a command has as many options as it has
    submission: Annotated[Path, typer.Argument(help="folder or zip of the fields")],
    *,
    task: ReportTask = "lumir24",
    dataset: Annotated[Path, typer.Option(help="the pair list, a JSON file")],
    ground_truth: Annotated[
        Path | None,
        typer.Option(help="folder of images, labels and landmarks, by default the pair list's"),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="another submission, shown beside; may be given several times"),
    ] = None,
    split: SplitName = "validation",
    jobs: Annotated[int, typer.Option(min=1, help="how many pairs are made at the same time")] = 1,
    cluster: ClusterOption = None,
    output: Annotated[Path, typer.Option(help="folder of the report")] = Path("report"),
) -> None:
    """Make pages to look at a submission with the eye: an index, worst pairs first, a page a pair.

    They work offline and from a file. A pair whose field is missing or faulty is shown as such.
    """
    with one_line_errors():
        from l2r.dataset import read_pairs  # noqa: PLC0415

        folder = ground_truth or dataset.parent
        pairs = read_pairs(dataset, folder, split)  # a wrong path is named before numpy is loaded
        from eval.inspection.command import ReportRequest, make_report  # noqa: PLC0415
        from l2r.task import load_task  # noqa: PLC0415

        submissions = (submission, *(compare or ()))
        request = ReportRequest(submissions, load_task(task), pairs, folder, output, jobs, cluster)
        typer.echo(make_report(request))
