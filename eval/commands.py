"""The work of `python -m eval score`, once its arguments are parsed."""

from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from eval.evaluation_config import with_configs
from eval.report import ScoreReport
from eval.scores_files import check_output, write_scores
from eval.scoring import Scorer
from eval.terminal import line, table
from eval.truth import GroundTruth
from l2r.cluster.option import open_workers
from l2r.console import progress, table_console
from l2r.dataset import read_pairs
from l2r.errors import ConfigError
from l2r.pairs import Pair
from l2r.submission import Submission, open_submission
from l2r.surplus import described, surplus
from l2r.task import load_task


@dataclass(frozen=True)
class Reference:
    """Everything that a submission is compared with."""

    task: str
    dataset: Path | None
    """The pair list; not needed where there are configs."""
    configs: tuple[Path, ...]
    """The organisers' evaluation configs."""
    ground_truth: Path | None
    """By default the folder of the pair list or of the first config."""
    split: str

    @property
    def folder(self) -> Path:
        """Folder of images, labels and landmarks.

        Raises:
            ConfigError: neither a ground truth folder nor a pair list is given.
        """
        if self.ground_truth is not None:
            return self.ground_truth
        for path in (self.dataset, *self.configs):
            if path is not None:
                return path.parent
        raise ConfigError("no pair list; give --dataset, or --evaluation-config of the organisers")

    def load(self) -> tuple[Scorer, list[Pair]]:
        """The scorer and the pairs.

        Raises:
            L2RError: a file is missing or faulty, or there is no pair list.
        """
        scorer = Scorer.of(load_task(self.task), self.folder)
        if self.configs:
            scorer, pairs = with_configs(scorer, list(self.configs))
            if self.dataset is None:
                return scorer, pairs
        if self.dataset is None:
            raise ConfigError("no pair list; give --dataset, or --evaluation-config")
        return scorer, read_pairs(self.dataset, self.folder, self.split)


@dataclass(frozen=True)
class ScoreRequest:
    """The command's arguments."""

    submission: Path
    reference: Reference
    outputs: tuple[Path, ...]
    jobs: int
    cluster: str | None = None
    """Where the cases are scored; None for this machine."""


def run(request: ScoreRequest) -> None:
    """Score, print the table, and write the files that are wanted.

    Raises:
        L2RError: the submission or what it is compared with cannot be used.
    """
    for output in request.outputs:
        check_output(output)
    scorer, pairs = request.reference.load()
    submission = open_submission(request.submission)
    if request.cluster is None:
        report = score_with_progress(scorer, submission, pairs, request.jobs)
    else:
        report = _score_on(request.cluster, scorer, submission, pairs)
    console = table_console()
    show(report, console)
    if extra := surplus(submission.names(), scorer.task.field, pairs):
        _note(described(extra), console)
    name = request.submission.resolve().name.removesuffix(".zip")
    for output in request.outputs:
        write_scores(output, report, name, scorer.task.name)


def score_with_progress(
    scorer: Scorer, submission: Submission, pairs: list[Pair], jobs: int
) -> ScoreReport:
    """Score, with a line or a bar of progress on stderr.

    Raises:
        L2RError: the submission or what it is compared with cannot be used.
    """
    with progress(len(pairs), "scoring") as advance:
        return scorer.score_submission(
            submission, pairs, jobs=jobs, done=lambda case: advance(line(case))
        )


def _score_on(
    cluster: str, scorer: Scorer, submission: Submission, pairs: list[Pair]
) -> ScoreReport:
    """Score on workers, which see the files under the same paths, whatever their folder is."""
    scorer = replace(scorer, truth=GroundTruth(scorer.truth.folder.absolute()))
    submission = open_submission(submission.path.absolute())
    with (
        open_workers(cluster) as workers,
        progress(len(pairs), "scoring", time_left=True) as advance,
    ):
        typer.echo(f"Dask's dashboard: {workers.dashboard}", err=True)
        return scorer.score_submission(
            submission, pairs, workers=workers, done=lambda case: advance(line(case))
        )


def show(report: ScoreReport, console: Console) -> None:
    """Print the table and the notes."""
    console.print(table(report))
    for note in report.notes():
        _note(note, console)


def _note(text: str, console: Console) -> None:
    console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)
