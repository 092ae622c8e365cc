"""Puts submissions into the database, and takes them out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from eval.leaderboard.database import Database
from eval.leaderboard.models import (
    StoredCase,
    StoredLabel,
    StoredScore,
    StoredSubmission,
    StoredTask,
)
from eval.leaderboard.scores import content_hash
from eval.metrics_file import MetricsFile
from l2r.errors import LeaderboardError

ATTEMPTS = 3
"""Where the database has no lock that a writer could hold from its beginning, two that add the
same thing at once collide; the second attempt then finds what the other has stored."""


@dataclass(frozen=True)
class NewSubmission:
    """Scores to add under a name."""

    task: str
    name: str
    scores: MetricsFile
    note: str = ""
    manifest: str = ""
    added: datetime | None = None
    """UTC, without a time zone; None for now."""


@dataclass(frozen=True)
class AddedSubmission:
    """A submission in the database."""

    number: int
    """Of the submission in the database."""
    new: bool
    """True if it was not stored before."""


@dataclass(frozen=True)
class MetricTable:
    """One metric of one submission."""

    means: Float[np.ndarray, " cases"]
    """NaN where it is undefined or missing."""
    has: Bool[np.ndarray, " cases"]
    """Whether the case was scored at all."""
    labels: Float[np.ndarray, "cases labels"]
    """As many columns as the longest list; NaN beyond the end of a shorter one."""


@dataclass(frozen=True)
class LoadedSubmission:
    """A submission as it is stored."""

    number: int
    name: str
    added: str
    """ISO 8601, UTC."""
    note: str
    manifest: str
    tables: dict[str, MetricTable]
    """By metric; only those that the submission has."""


@dataclass(frozen=True)
class TaskSubmissions:
    """All submissions to a task, the oldest first."""

    cases: tuple[str, ...]
    submissions: tuple[LoadedSubmission, ...]


def add(database: Database, submission: NewSubmission) -> AddedSubmission:
    """Store a submission, unless the same scores are stored under the same name.

    Raises:
        LeaderboardError: the database cannot be used, or earlier submissions have other cases.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _attempt(database, submission)
        except LeaderboardError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
    return _attempt(database, submission)


def load(database: Database, task: str, *, every: bool = False) -> TaskSubmissions:
    """The submissions to a task, each with all its scores.

    Args:
        database: to read.
        task: its name.
        every: also those that a newer one of the same name replaces; all but the newest then get
            a number after their name.

    Raises:
        LeaderboardError: the database cannot be used.
    """
    with database.reading() as connection:
        cases = connection.execute(
            select(StoredCase.id, StoredCase.name)
            .join(StoredTask, StoredCase.task_id == StoredTask.id)
            .where(StoredTask.name == task)
            .order_by(StoredCase.position)
        ).all()
        order = {number: position for position, (number, _) in enumerate(cases)}
        stored = _submissions(connection, task)
        newest = {row.name: row.id for row in stored}
        submissions = tuple(
            _loaded(row, _tables(connection, row.id, order), newest=newest[row.name] == row.id)
            for row in stored
            if every or newest[row.name] == row.id
        )
    return TaskSubmissions(tuple(name for _, name in cases), submissions)


def _attempt(database: Database, submission: NewSubmission) -> AddedSubmission:
    with database.writing() as connection:
        return add_within(connection, submission)


def add_within(connection: Connection, submission: NewSubmission) -> AddedSubmission:
    """Store a submission as a part of a transaction."""
    digest = content_hash(submission.scores, submission.task, submission.name)
    with Session(connection) as session:
        task = _task(session, submission)
        found = session.scalar(select(StoredSubmission.id).where(StoredSubmission.sha256 == digest))
        if found is not None:
            return AddedSubmission(found, new=False)
        stored = _new_row(submission, task.id, digest)
        session.add(stored)
        session.flush()
        ids = {case.name: case.id for case in task.cases}
        _add_scores(session, stored.id, ids, submission.scores)
        number = stored.id
        session.flush()
    return AddedSubmission(number, new=True)


def now() -> datetime:
    """The time as the database keeps it: UTC, without a time zone, in whole seconds."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _new_row(submission: NewSubmission, task: int, digest: str) -> StoredSubmission:
    return StoredSubmission(
        task_id=task,
        name=submission.name,
        sha256=digest,
        added=submission.added or now(),
        note=submission.note,
        manifest=submission.manifest,
    )


def _task(session: Session, submission: NewSubmission) -> StoredTask:
    """The task's row, made of the first submission's cases."""
    cases = list(submission.scores.cases)
    task = session.scalar(select(StoredTask).where(StoredTask.name == submission.task))
    if task is None:
        task = StoredTask(name=submission.task)
        task.cases = [StoredCase(position=i, name=name) for i, name in enumerate(cases)]
        session.add(task)
        session.flush()
    _require_cases(cases, [case.name for case in task.cases], submission.task)
    return task


def _require_cases(found: list[str], expected: list[str], task: str) -> None:
    for names, others, verb in ((found, expected, "adds"), (expected, found, "lacks")):
        known = set(others)
        if odd := [name for name in names if name not in known]:
            raise LeaderboardError(
                f"{odd[0]}: the submission {verb} this case; it has {len(found)} cases, but the "
                f"earlier ones of task {task} have {len(expected)}; other pairs need a database "
                "of their own"
            )


def _add_scores(
    session: Session, submission: int, cases: dict[str, int], scores: MetricsFile
) -> None:
    found = [
        (case, metric, score)
        for case, results in scores.cases.items()
        for metric, score in results.items()
    ]
    rows = [
        {
            "submission_id": submission,
            "case_id": cases[case],
            "metric": metric,
            "mean": score.mean,
        }
        for case, metric, score in found
    ]
    if not rows:
        return
    made = insert(StoredScore).returning(StoredScore.id, sort_by_parameter_order=True)
    numbers = session.scalars(made, rows).all()
    labels = [
        {"score_id": number, "position": position, "value": value}
        for number, (_, _, score) in zip(numbers, found, strict=True)
        for position, value in enumerate(score.values)
    ]
    if labels:
        session.execute(insert(StoredLabel), labels)


def _submissions(connection: Connection, task: str) -> Sequence[Any]:
    """The rows of a task's submissions, the oldest first."""
    return connection.execute(
        select(StoredSubmission.__table__)
        .join(StoredTask, StoredSubmission.task_id == StoredTask.id)
        .where(StoredTask.name == task)
        .order_by(StoredSubmission.id)
    ).all()


def _loaded(row: Any, tables: dict[str, MetricTable], *, newest: bool) -> LoadedSubmission:
    name = row.name if newest else f"{row.name} (#{row.id})"
    added = f"{row.added.isoformat()}Z"
    return LoadedSubmission(row.id, name, added, row.note, row.manifest, tables)


def _tables(
    connection: Connection, submission: int, order: dict[int, int]
) -> dict[str, MetricTable]:
    """The tables of a submission; `order` has the position of each case."""
    scores = connection.execute(
        select(StoredScore.id, StoredScore.case_id, StoredScore.metric, StoredScore.mean)
        .where(StoredScore.submission_id == submission)
        .order_by(StoredScore.id)
    ).all()
    labels = _labels(connection, submission)
    by_metric: dict[str, list[tuple[int, float | None, list[float | None]]]] = defaultdict(list)
    for number, case, metric, mean in scores:
        by_metric[metric].append((order[case], mean, labels[number]))
    return {metric: _table(rows, len(order)) for metric, rows in by_metric.items()}


def _labels(connection: Connection, submission: int) -> dict[int, list[float | None]]:
    """The structures of every score of a submission that has any."""
    labels: dict[int, list[float | None]] = defaultdict(list)
    for score, value in connection.execute(
        select(StoredLabel.score_id, StoredLabel.value)
        .join(StoredScore, StoredLabel.score_id == StoredScore.id)
        .where(StoredScore.submission_id == submission)
        .order_by(StoredLabel.position)
    ):
        labels[score].append(value)
    return labels


def _table(rows: Sequence[tuple[int, float | None, list[float | None]]], cases: int) -> MetricTable:
    """A table from the position, the mean and the structures of each scored case."""
    table = MetricTable(
        np.full(cases, np.nan),
        np.zeros(cases, np.bool_),
        np.full((cases, max(len(values) for _, _, values in rows)), np.nan),
    )
    for case, mean, values in rows:
        table.means[case] = mean  # None becomes NaN
        table.has[case] = True
        table.labels[case, : len(values)] = values
    return table
