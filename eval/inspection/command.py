"""The work of `regatta report`, once its arguments are parsed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.inspection.field_look import Candidate, FieldReader
from eval.inspection.index_page import ReportIndex, render_index
from eval.inspection.inspector import Inspector, NumberedPair
from eval.inspection.outcome import PairOutcome
from eval.inspection.viewer import write_viewer
from eval.parallel import in_order
from eval.protocol import protocol_of
from eval.run_record import find_record
from eval.truth import GroundTruth
from l2r.console import progress
from l2r.disk import make_folder, writing
from l2r.errors import OutputError
from l2r.pairs import Pair
from l2r.path_names import distinct_names
from l2r.submission import Submission, field_names, open_submission
from l2r.task import Task

INDEX, ASSETS = "index.html", "assets"
MARK = "regatta-report"
"""A file in the assets of every report, by which one knows its own."""


@dataclass(frozen=True)
class ReportRequest:
    """The command's arguments."""

    submissions: Sequence[Path]
    """The first is the one that the order of pairs follows."""
    task: Task
    pairs: Sequence[Pair]
    ground_truth: Path
    output: Path
    jobs: int = 1


def make_report(request: ReportRequest) -> Path:
    """Write a report; one that stood in the folder before is replaced.

    Returns:
        The index.

    Raises:
        OutputError: the folder holds something that is no report, or cannot be written to.
        L2RError: the submission or the pair list cannot be used.
    """
    pairs = list(field_names(request.task.field, list(request.pairs)).values())
    submissions = [open_submission(path) for path in request.submissions]
    assets = _opened(request.output)
    reader = FieldReader(request.task, protocol_of(request.task), GroundTruth(request.ground_truth))
    names = distinct_names(request.submissions)
    candidates = tuple(map(_candidate, names, submissions))
    inspector = Inspector(reader, candidates, assets)
    items = [NumberedPair(pair, number, len(pairs)) for number, pair in enumerate(pairs, start=1)]
    outcomes: list[PairOutcome] = []
    with progress(len(items), "report") as advance:
        for outcome in in_order(inspector, items, request.jobs):
            outcomes.append(outcome)
            words = [flag.word for field in outcome.fields for flag in field.flags]
            advance(f"{outcome.name}: {', '.join(dict.fromkeys(words)) or 'no flags'}")
    write_viewer(assets)
    index = render_index(ReportIndex(request.task, reader.protocol, candidates, outcomes))
    with writing(request.output / INDEX) as file:
        file.write(index.encode())
    return request.output / INDEX


def _opened(output: Path) -> Path:
    """The empty folder of assets of a new or an earlier report."""
    assets = output / ASSETS
    if output.exists() and not (assets / MARK).is_file():
        if not output.is_dir():
            raise OutputError(f"{output}: is a file; give a folder for the report")
        others = sorted(path.name for path in output.iterdir())
        if others:
            raise OutputError(
                f"{output}: holds {others[0]} and is no report; give a new or an empty folder"
            )
    try:
        if assets.exists():
            shutil.rmtree(assets)
    except OSError as cause:
        raise OutputError(f"{assets}: cannot be replaced: {cause.strerror}") from None
    make_folder(assets)
    with writing(assets / MARK) as file:
        file.write(b"A report of Regatta; the same command may replace this folder.\n")
    return assets


def _candidate(name: str, submission: Submission) -> Candidate:
    record = find_record(submission.path)
    return Candidate(name, submission, frozenset(submission.names()), record)
