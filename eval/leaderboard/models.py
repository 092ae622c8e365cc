"""The tables of the leaderboard's database.

    task 1 - n task_case            a task's cases are those of its first submission
    task 1 - n submission 1 - n score 1 - n label_score
                                    a score is one metric of one case, a label_score one structure
    change                          what was removed or renamed, by whom and when; refers to nothing

A value that is not a number is stored as NULL and read as NaN; infinity is stored as it is.
"""

from datetime import datetime

from sqlalchemy import DateTime, Double, ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""A constraint without a name could not be changed by a later migration."""


class StoredRecord(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(naming_convention=NAMES)


class StoredTask(StoredRecord):
    """A task that somebody has submitted to."""

    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    cases: Mapped[list["StoredCase"]] = relationship(order_by="StoredCase.position")


class StoredCase(StoredRecord):
    """A case of a task."""

    __tablename__ = "task_case"
    __table_args__ = (UniqueConstraint("task_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    position: Mapped[int]
    """In the order of the first submission's file."""
    name: Mapped[str] = mapped_column(String(400))


class StoredSubmission(StoredRecord):
    """A `metrics.json` that was added under a name."""

    __tablename__ = "submission"

    id: Mapped[int] = mapped_column(primary_key=True)
    """Grows with time: the largest of a name is the newest."""
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    """Of the task's name, the submission's name and the scores."""
    added: Mapped[datetime] = mapped_column(DateTime())
    """UTC, without a time zone, as SQLite keeps it."""
    note: Mapped[str] = mapped_column(Text)
    manifest: Mapped[str] = mapped_column(Text)
    """The text of `manifest.json`; empty where there was none."""


class StoredScore(StoredRecord):
    """One metric of one case of a submission."""

    __tablename__ = "score"
    __table_args__ = (UniqueConstraint("submission_id", "case_id", "metric"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("task_case.id"))
    metric: Mapped[str] = mapped_column(String(200))
    mean: Mapped[float | None] = mapped_column(Double())


class StoredLabel(StoredRecord):
    """One structure of a metric of a case."""

    __tablename__ = "label_score"
    __table_args__ = (UniqueConstraint("score_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    score_id: Mapped[int] = mapped_column(ForeignKey("score.id"))
    position: Mapped[int]
    """In the list of the metrics file."""
    value: Mapped[float | None] = mapped_column(Double())


class StoredChange(StoredRecord):
    """A submission that was removed or renamed."""

    __tablename__ = "change"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime())
    """UTC, without a time zone."""
    who: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(20))
    """`removed` or `renamed`."""
    task: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    """Before the change."""
    new_name: Mapped[str] = mapped_column(String(200))
    """Empty where it was removed."""
    submissions: Mapped[int]
    """How many the name had."""
    reason: Mapped[str] = mapped_column(Text)
