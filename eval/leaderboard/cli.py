"""The commands that keep submissions and rank them: init, add, show, export, serve."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors

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
