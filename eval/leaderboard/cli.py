"""The commands that keep submissions and rank them."""

from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l2r.console import one_line_errors

if TYPE_CHECKING:
    from eval.leaderboard.changes import BoardChange

app = typer.Typer(no_args_is_help=True, help="Keep submissions in a database, and rank them.")

DatabasePlace = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="REGATTA_LEADERBOARD",
        metavar="PATH|URL",
        help="SQLite file, or the SQLAlchemy URL of another database",
    ),
]
DEFAULT = "leaderboard.sqlite"
JudgedTask = Annotated[str, typer.Option("--task", help="name of the task, or path of a task file")]
RankingRuleOption = Annotated[
    str | None, typer.Option(help="name or path of a ranking rule (else the task's own)")
]
MetricNames = Annotated[
    list[str] | None, typer.Option("--metric", help="rank by this one only; may be repeated")
]
TableNames = Annotated[
    list[str] | None,
    typer.Option(help="name or path of a published table (else those over as many pairs)"),
]
ReplacedToo = Annotated[
    bool, typer.Option("--all", help="also what a newer submission of the same name replaces")
]

Author = Annotated[str | None, typer.Option("--by", help="who wants it", show_default="the user")]
Reason = Annotated[str, typer.Option(help="for the record")]


@app.command()
def init(*, database: DatabasePlace = DEFAULT) -> None:
    """Make a leaderboard, or bring one of an older version up to date."""
    # Not at the top, here and below: --help should not wait for SQLAlchemy, numpy and scipy.
    from eval.leaderboard.database import Database  # noqa: PLC0415

    with one_line_errors():
        place = Database(database)
        place.upgrade()
        typer.echo(f"{place}: ready")


@app.command()
def add(
    metrics: Annotated[Path, typer.Argument(help="a submission's metrics.json")],
    *,
    task: JudgedTask,
    name: Annotated[str, typer.Option(help="of the team or the method")],
    manifest: Annotated[Path | None, typer.Option(help="the run's manifest.json")] = None,
    note: Annotated[str, typer.Option(help="anything that others should know")] = "",
    database: DatabasePlace = DEFAULT,
) -> None:
    """Add a scored submission; the newest of a name is ranked.

    Adding the same scores under the same name again changes nothing.
    """
    from eval.leaderboard.commands import Addition, add_submission  # noqa: PLC0415

    with one_line_errors():
        typer.echo(add_submission(database, Addition(metrics, task, name, manifest, note)))


@app.command()
def show(  # noqa: PLR0913 - the options of the command
    *,
    task: JudgedTask,
    rule: RankingRuleOption = None,
    metric: MetricNames = None,
    published: TableNames = None,
    every: ReplacedToo = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the whole board as JSON")] = False,
    database: DatabasePlace = DEFAULT,
) -> None:
    """Print the ranking as a table."""
    from eval.leaderboard.commands import Selection, board  # noqa: PLC0415
    from eval.leaderboard.terminal_table import print_board  # noqa: PLC0415

    with one_line_errors():
        made = board(database, Selection(task, rule, metric or (), published, every))
        if as_json:
            typer.echo(made.model_dump_json(indent=2))
        else:
            print_board(made)


@app.command()
def export(  # noqa: PLR0913 - the options of the command
    output: Annotated[Path, typer.Argument(help="the HTML file to write")],
    *,
    task: JudgedTask,
    rule: RankingRuleOption = None,
    metric: MetricNames = None,
    published: TableNames = None,
    every: ReplacedToo = False,
    reports: Annotated[
        Path | None,
        typer.Option(help="folder of reports to link to, each in a folder of a submission's name"),
    ] = None,
    database: DatabasePlace = DEFAULT,
) -> None:
    """Write the board as one HTML file that needs no network."""
    from eval.leaderboard.commands import Selection, board  # noqa: PLC0415
    from eval.leaderboard.page import render  # noqa: PLC0415
    from eval.leaderboard.reports import with_reports  # noqa: PLC0415
    from l2r.disk import writing  # noqa: PLC0415

    with one_line_errors():
        made = board(database, Selection(task, rule, metric or (), published, every))
        if reports is not None:
            made = with_reports(made, reports, output)
        page = render(made).encode()
        with writing(output) as file:
            file.write(page)
        typer.echo(f"{output}: {len(page)} bytes")


@app.command()
def serve(  # noqa: PLR0913 - the options of the command
    *,
    task: JudgedTask,
    rule: RankingRuleOption = None,
    metric: MetricNames = None,
    published: TableNames = None,
    every: ReplacedToo = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one")] = 8000,
    host: Annotated[
        str, typer.Option(help="address to listen on; 0.0.0.0 within a container")
    ] = "127.0.0.1",
    database: DatabasePlace = DEFAULT,
) -> None:
    """Show the board on http://localhost, made anew from the database for each visit."""
    from eval.leaderboard.commands import Selection, board  # noqa: PLC0415
    from eval.leaderboard.serve import serve as serve_pages  # noqa: PLC0415

    with one_line_errors():
        selection = Selection(task, rule, metric or (), published, every)
        board(database, selection)  # what is wrong is said now, and not to the first visitor
        serve_pages(lambda: board(database, selection), port, host)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="of the team or the method")],
    *,
    task: JudgedTask,
    by: Author = None,
    reason: Reason = "",
    database: DatabasePlace = DEFAULT,
) -> None:
    """Take all submissions of a name out; `changes` tells who did that."""
    from eval.leaderboard.changes import remove as remove_named  # noqa: PLC0415
    from eval.leaderboard.database import Database  # noqa: PLC0415

    with one_line_errors():
        change = _change(task, name, by, reason)
        removed = remove_named(place := Database(database), change)
        typer.echo(f"{place}: {name!r} removed from {change.task}, {removed} submissions")


@app.command()
def rename(
    name: Annotated[str, typer.Argument(help="of the team or the method")],
    new_name: Annotated[str, typer.Argument(help="what it is called from now on")],
    *,
    task: JudgedTask,
    by: Author = None,
    reason: Reason = "",
    database: DatabasePlace = DEFAULT,
) -> None:
    """Give all submissions of a name another one; `changes` tells who did that."""
    from eval.leaderboard.changes import rename as rename_named  # noqa: PLC0415
    from eval.leaderboard.commands import checked_name  # noqa: PLC0415
    from eval.leaderboard.database import Database  # noqa: PLC0415

    with one_line_errors():
        change = _change(task, name, by, reason)
        new_name = checked_name(new_name)
        renamed = rename_named(place := Database(database), change, new_name)
        typer.echo(f"{place}: {name!r} is now {new_name!r}, {renamed} submissions")


def _change(task: str, name: str, by: str | None, reason: str) -> "BoardChange":
    from eval.leaderboard.changes import BoardChange  # noqa: PLC0415
    from l2r.task import load_task  # noqa: PLC0415

    return BoardChange(load_task(task).name, name, by or getuser(), reason)


@app.command()
def changes(*, database: DatabasePlace = DEFAULT) -> None:
    """Print what was removed and renamed, when, by whom and why."""
    from eval.leaderboard.changes import changes as all_changes  # noqa: PLC0415
    from eval.leaderboard.database import Database  # noqa: PLC0415

    with one_line_errors():
        for row in all_changes(Database(database)):
            into = f" to {row.new_name!r}" if row.new_name else ""
            why = f": {row.reason}" if row.reason else ""
            typer.echo(f"{row.at}Z {row.who} {row.action} {row.name!r} of {row.task}{into}{why}")


@app.command()
def archive(
    output: Annotated[Path, typer.Argument(help="the JSON file to write")],
    *,
    database: DatabasePlace = DEFAULT,
) -> None:
    """Write the whole database into one file, submissions and changes of every task."""
    from eval.leaderboard.archive import write_archive  # noqa: PLC0415
    from eval.leaderboard.database import Database  # noqa: PLC0415

    with one_line_errors():
        count = write_archive(Database(database), output)
        typer.echo(f"{output}: {count} submissions")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="a file of `archive`")],
    *,
    database: DatabasePlace = DEFAULT,
) -> None:
    """Add what an archive holds and the database lacks: all of it, or nothing after an error."""
    from eval.leaderboard.archive import restore_archive  # noqa: PLC0415
    from eval.leaderboard.database import Database  # noqa: PLC0415

    with one_line_errors():
        added, count = restore_archive(place := Database(database), source)
        typer.echo(f"{place}: {added} of {count} submissions added, the others were there")
