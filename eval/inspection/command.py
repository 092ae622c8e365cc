"""The work of `regatta report`, once its arguments are parsed."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from eval.inspection.index_page import ReportIndex, render_index
from eval.inspection.inspector import NumberedPair
from eval.inspection.outcome import PairOutcome
from eval.inspection.places import ReportPlaces
from eval.inspection.viewer import write_viewer
from eval.parallel import in_order
from l2r.cluster.option import open_workers
from l2r.console import progress
from l2r.disk import make_folder, writing
from l2r.errors import OutputError
from l2r.pairs import Pair
from l2r.submission import field_names
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
    cluster: str | None = None
    """Where the pages of pairs are made; None for this machine."""


def make_report(request: ReportRequest) -> Path:
    """Write a report; one that stood in the folder before is replaced.

    Returns:
        The index.

    Raises:
        OutputError: the folder holds something that is no report, or cannot be written to.
        L2RError: the submission or the pair list cannot be used.
    """
    pairs = list(field_names(request.task.field, list(request.pairs)).values())
    places = ReportPlaces(
        request.task, tuple(request.submissions), request.ground_truth, request.output / ASSETS
    )
    inspector = places.inspector()  # faults are found before anything is written
    assets = _opened(request.output)
    items = [NumberedPair(pair, number, len(pairs)) for number, pair in enumerate(pairs, start=1)]
    outcomes = _inspected(request, places, items)
    write_viewer(assets)
    index = render_index(
        ReportIndex(request.task, inspector.reader.protocol, inspector.candidates, outcomes)
    )
    with writing(request.output / INDEX) as file:
        file.write(index.encode())
    return request.output / INDEX


def _inspected(
    request: ReportRequest, places: ReportPlaces, items: list[NumberedPair]
) -> list[PairOutcome]:
    """Make the pages of all pairs, with progress on stderr."""
    outcomes = []
    with (
        _coming(request, places, items) as coming,
        progress(len(items), "report", time_left=request.cluster is not None) as advance,
    ):
        for outcome in coming:
            outcomes.append(outcome)
            words = [flag.word for field in outcome.fields for flag in field.flags]
            advance(f"{outcome.name}: {', '.join(dict.fromkeys(words)) or 'no flags'}")
    return outcomes


@contextmanager
def _coming(
    request: ReportRequest, places: ReportPlaces, items: list[NumberedPair]
) -> Iterator[Iterator[PairOutcome]]:
    """The outcomes in order; on workers the files have the same paths in every folder."""
    if request.cluster is None:
        yield in_order(places, items, request.jobs)
        return
    with open_workers(request.cluster) as workers:
        typer.echo(f"Dask's dashboard: {workers.dashboard}", err=True)
        yield workers.in_order(places.absolute(), items)


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
