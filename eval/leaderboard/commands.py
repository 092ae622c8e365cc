"""Functions behind the commands, once their arguments are parsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.leaderboard.assemble import assemble
from eval.leaderboard.board import Board
from eval.leaderboard.competition import Competition
from eval.leaderboard.database import Database
from eval.leaderboard.published import PublishedTable, load_table, tables_of
from eval.leaderboard.rules import load_rule, rule_of
from eval.leaderboard.scores import read_scores
from eval.leaderboard.store import NewSubmission, add, load
from eval.protocol import Protocol, protocol_of
from l2r.errors import LeaderboardError
from l2r.schema import read_json, read_text
from l2r.task import load_task

LONGEST_NAME = 100


@dataclass(frozen=True)
class Addition:
    """The arguments of `add`."""

    metrics: Path
    task: str
    name: str
    manifest: Path | None
    note: str


@dataclass(frozen=True)
class Selection:
    """The arguments of `show`, `export` and `serve`."""

    task: str
    rule: str | None = None
    metrics: Sequence[str] = ()
    published: Sequence[str] | None = None
    """Names of tables; None for those of the task that are over as many pairs as were scored."""
    every: bool = False


def add_submission(database: str, addition: Addition) -> str:
    """Store a submission, and say so.

    Raises:
        L2RError: the files, the name or the database cannot be used.
    """
    name = checked_name(addition.name)
    task = load_task(addition.task)
    scores = read_scores(addition.metrics, task.name, protocol_of(task))
    submission = NewSubmission(task.name, name, scores, addition.note, _manifest(addition.manifest))
    place = Database(database)
    added = add(place, submission)
    what = f"submission {added.number}, {name!r} to {task.name}"
    if not added.new:
        return f"{place}: {what} exists already, with the same scores; nothing was changed"
    return f"{place}: {what}, {len(scores.cases)} cases"


def checked_name(text: str) -> str:
    """A name of a team or a method without spaces around it.

    Raises:
        LeaderboardError: it is too long, or cannot be printed.
    """
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise LeaderboardError(
            f"--name {text!r}: expected are 1 to {LONGEST_NAME} printable characters"
        )
    return name


def board(database: str, selection: Selection) -> Board:
    """The board of a task, from what is in the database now.

    Raises:
        L2RError: the task, the rule, a metric, a table or the database cannot be used.
    """
    task = load_task(selection.task)
    protocol = protocol_of(task)
    rule = load_rule(selection.rule) if selection.rule else rule_of(task.name)
    loaded = load(Database(database), task.name, every=selection.every)
    tables = _tables(selection.published, task.name, len(loaded.cases))
    _require_metrics(selection.metrics, protocol, tables)
    return assemble(Competition(task, protocol, rule, loaded, tables, tuple(selection.metrics)))


def _tables(names: Sequence[str] | None, task: str, cases: int) -> tuple[PublishedTable, ...]:
    if names is not None:
        return tuple(load_table(name) for name in names)
    tables = (table for table in tables_of(task) if not table.experiment)
    return tuple(table for table in tables if cases in (0, table.pairs))


def _require_metrics(
    names: Sequence[str], protocol: Protocol, tables: Sequence[PublishedTable]
) -> None:
    known = [metric.name for metric in protocol.metrics]
    known += [column.name for table in tables for column in table.columns]
    for name in names:
        if name not in known:
            raise LeaderboardError(
                f"--metric {name!r}: no such metric; known are {', '.join(dict.fromkeys(known))}"
            )


def _manifest(path: Path | None) -> str:
    if path is None:
        return ""
    read_json(path, LeaderboardError)
    return read_text(path, LeaderboardError)
