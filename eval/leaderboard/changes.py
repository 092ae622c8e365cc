"""Removes and renames submissions, and keeps a record of who did that and when."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from eval.leaderboard.database import Database
from eval.leaderboard.models import (
    StoredCase,
    StoredChange,
    StoredLabel,
    StoredScore,
    StoredSubmission,
    StoredTask,
)
from eval.leaderboard.rows import scores_of
from eval.leaderboard.scores import content_hash
from eval.leaderboard.store import now
from l2r.errors import LeaderboardError


@dataclass(frozen=True)
class BoardChange:
    """A name whose submissions are to change, and who wants it."""

    task: str
    name: str
    who: str
    reason: str = ""


def remove(database: Database, change: BoardChange) -> int:
    """Take all submissions of a name out of a task.

    Returns:
        How many there were.

    Raises:
        LeaderboardError: there is none, or the database cannot be used.
    """
    with database.writing() as connection, Session(connection) as session:
        found = _named(session, change.task, change.name)
        numbers = [row.id for row in found]
        scores = select(StoredScore.id).where(StoredScore.submission_id.in_(numbers))
        session.execute(delete(StoredLabel).where(StoredLabel.score_id.in_(scores)))
        session.execute(delete(StoredScore).where(StoredScore.submission_id.in_(numbers)))
        session.execute(delete(StoredSubmission).where(StoredSubmission.id.in_(numbers)))
        _forget_empty(session, found[0].task_id)
        _record(session, change, "removed", len(found))
        session.flush()
    return len(numbers)


def rename(database: Database, change: BoardChange, new_name: str) -> int:
    """Give all submissions of a name another one.

    Returns:
        How many there were.

    Raises:
        LeaderboardError: there is none, the new name is taken, or the database cannot be used.
    """
    with database.writing() as connection, Session(connection) as session:
        found = _named(session, change.task, change.name)
        if _query(session, change.task, new_name):
            raise LeaderboardError(
                f"{new_name!r}: task {change.task} has this name already; its submissions would "
                "no longer be told apart"
            )
        for row in found:
            row.name = new_name
            row.sha256 = content_hash(scores_of(session, row.id), change.task, new_name)
        _record(session, change, "renamed", len(found), new_name)
        session.flush()
    return len(found)


def changes(database: Database) -> Sequence[StoredChange]:
    """Every change, the oldest first.

    Raises:
        LeaderboardError: the database cannot be used.
    """
    with database.reading() as connection, Session(connection) as session:
        found = session.scalars(select(StoredChange).order_by(StoredChange.id)).all()
        session.expunge_all()
    return found


def _query(session: Session, task: str, name: str) -> Sequence[StoredSubmission]:
    return session.scalars(
        select(StoredSubmission)
        .join(StoredTask, StoredSubmission.task_id == StoredTask.id)
        .where(StoredTask.name == task, StoredSubmission.name == name)
        .with_for_update(of=StoredSubmission)
    ).all()


def _named(session: Session, task: str, name: str) -> Sequence[StoredSubmission]:
    found = _query(session, task, name)
    if not found:
        raise LeaderboardError(f"{name!r}: task {task} has no submission of this name")
    return found


def _forget_empty(session: Session, task: int) -> None:
    """Drop the cases of a task without submissions: the next one may have others."""
    if session.scalar(select(StoredSubmission.id).where(StoredSubmission.task_id == task)) is None:
        session.execute(delete(StoredCase).where(StoredCase.task_id == task))
        session.execute(delete(StoredTask).where(StoredTask.id == task))


def _record(
    session: Session, change: BoardChange, action: str, submissions: int, new_name: str = ""
) -> None:
    session.add(
        StoredChange(
            at=now(),
            who=change.who,
            action=action,
            task=change.task,
            name=change.name,
            new_name=new_name,
            submissions=submissions,
            reason=change.reason,
        )
    )
