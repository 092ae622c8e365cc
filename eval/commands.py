"""What `python -m eval score` does, once its arguments are parsed."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eval.evaluate import score
from eval.evaluation_config import with_configs
from eval.report import Report
from eval.scores_files import check_output, write_scores
from eval.terminal import line, table
from l2r.console import progress, table_console
from l2r.dataset import Pair, read_pairs
from l2r.errors import ConfigError
from l2r.submission import Submission, open_submission
from l2r.task import Task, load_task


@dataclass(frozen=True)
class Reference:
    """What a submission is compared with."""

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
        """Where images, labels and landmarks lie.

        Raises:
            ConfigError: nothing says it.
        """
        if self.ground_truth is not None:
            return self.ground_truth
        for path in (self.dataset, *self.configs):
            if path is not None:
                return path.parent
        raise ConfigError("no pair list; give --dataset, or --evaluation-config of the organisers")

    def load(self) -> tuple[Task, list[Pair]]:
        """The task and the pairs.

        Raises:
            L2RError: a file is missing or faulty, or there is no pair list.
        """
        folder, task = self.folder, load_task(self.task)
        if self.configs:
            task, pairs = with_configs(task, list(self.configs), folder)
            if self.dataset is None:
                return task, pairs
        if self.dataset is None:
            raise ConfigError("no pair list; give --dataset, or --evaluation-config")
        return task, read_pairs(self.dataset, folder, self.split)


@dataclass(frozen=True)
class Request:
    """The command's arguments."""

    submission: Path
    reference: Reference
    outputs: tuple[Path, ...]
    jobs: int


def run(request: Request) -> None:
    """Score, print the table, and write the files that are wanted.

    Raises:
        L2RError: the submission or what it is compared with cannot be used.
    """
    for output in request.outputs:
        check_output(output)
    task, pairs = request.reference.load()
    submission = open_submission(request.submission)
    report = score_with_progress(submission, task, pairs, request.reference.folder, request.jobs)
    show(report, table_console())
    name = request.submission.resolve().name.removesuffix(".zip")
    for output in request.outputs:
        write_scores(output, report, name, task.name)


def score_with_progress(
    submission: Submission, task: Task, pairs: list[Pair], ground_truth: Path, jobs: int
) -> Report:
    """Score, with a line or a bar of progress on stderr.

    Raises:
        L2RError: the submission or what it is compared with cannot be used.
    """
    with progress(len(pairs), "scoring") as advance:
        return score(
            submission,
            task,
            pairs,
            ground_truth,
            jobs=jobs,
            done=lambda case: advance(line(case)),
        )


def show(report: Report, console: Console) -> None:
    """Print the table and the notes."""
    console.print(table(report))
    for note in report.notes():
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
