"""A whole board as one JSON file, for another database or for safekeeping."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from eval.leaderboard.database import Database
from eval.leaderboard.models import StoredChange, StoredSubmission, StoredTask
from eval.leaderboard.rows import scores_of
from eval.leaderboard.store import NewSubmission, add_within
from eval.metrics_file import MetricScore, MetricsFile, write_json
from l2r.errors import LeaderboardError
from l2r.schema import Frozen, parse, read_json

FORMAT = "regatta leaderboard 1"


class ArchivedSubmission(Frozen):
    """A submission with its scores."""

    task: str
    name: str
    added: datetime
    note: str
    manifest: str
    cases: dict[str, dict[str, MetricScore]]


class ArchivedChange(Frozen):
    """The record of a removal or a new name."""

    at: datetime
    who: str
    action: str
    task: str
    name: str
    new_name: str
    submissions: int
    reason: str


class BoardArchive(Frozen):
    """Everything that a database holds, in the order in which it came."""

    format: Literal["regatta leaderboard 1"]
    submissions: tuple[ArchivedSubmission, ...]
    changes: tuple[ArchivedChange, ...]


def write_archive(database: Database, path: Path) -> int:
    """Write all of a board into a file.

    Returns:
        Number of submissions.

    Raises:
        LeaderboardError: the database cannot be used.
        OutputError: the file cannot be written.
    """
    with database.reading() as connection, Session(connection) as session:
        rows = session.execute(
            select(StoredSubmission, StoredTask.name)
            .join(StoredTask, StoredSubmission.task_id == StoredTask.id)
            .order_by(StoredSubmission.id)
        ).all()
        archive = BoardArchive(
            format=FORMAT,
            submissions=tuple(_archived(session, row, task) for row, task in rows),
            changes=tuple(
                ArchivedChange(**{key: getattr(row, key) for key in ArchivedChange.model_fields})
                for row in session.scalars(select(StoredChange).order_by(StoredChange.id))
            ),
        )
    write_json(path, _content(archive), strict=False)
    return len(archive.submissions)


def restore_archive(database: Database, path: Path) -> tuple[int, int]:
    """Add all of a file to a board, or nothing of it; what the board has already stays as it is.

    Returns:
        Number of the submissions that were added, and of those in the file.

    Raises:
        LeaderboardError: the file or the database cannot be used, or the board has other cases.
    """
    archive = parse(BoardArchive, read_json(path, LeaderboardError), str(path), LeaderboardError)
    with database.writing() as connection:
        added = [_restore(connection, submission) for submission in archive.submissions]
        with Session(connection) as session:
            for change in archive.changes:
                values = change.model_dump()
                if session.scalars(select(StoredChange).filter_by(**values)).first() is None:
                    session.add(StoredChange(**values))
            session.flush()
    return sum(added), len(added)


def _archived(session: Session, row: StoredSubmission, task: str) -> ArchivedSubmission:
    return ArchivedSubmission(
        task=task,
        name=row.name,
        added=row.added,
        note=row.note,
        manifest=row.manifest,
        cases=scores_of(session, row.id).cases,
    )


def _restore(connection: Connection, submission: ArchivedSubmission) -> bool:
    scores = MetricsFile(cases=submission.cases)
    new = NewSubmission(
        submission.task,
        submission.name,
        scores,
        submission.note,
        submission.manifest,
        submission.added,
    )
    return add_within(connection, new).new


def _content(archive: BoardArchive) -> object:
    """As JSON has it, with times as text; infinity stays a number."""
    content = archive.model_dump()
    for key, time in (("submissions", "added"), ("changes", "at")):
        for entry in content[key]:
            entry[time] = entry[time].isoformat()
    return content
