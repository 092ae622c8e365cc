"""The command that compares systems."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors
from pipeline.options import Overrides

app = typer.Typer()


@app.command(
    rich_help_panel="Train",
    epilog="Example: regatta experiment benchmarks/experiments/p2.toml --output output/p2",
)
def experiment(
    file: Annotated[Path, typer.Argument(help="experiment file: systems, seeds, pairs")],
    *,
    output: Annotated[
        Path | None, typer.Option(help="all that is made", show_default="output/experiments/<file>")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Train, register, score and test several systems on the same pairs, in one table.

    The same command goes on where it stopped.

    Exit code: 0 all is done; 2 it cannot be begun, or a job failed.
    """
    with one_line_errors():
        from l2r.errors import ConfigError  # noqa: PLC0415
        from l2r.schema import read_toml  # noqa: PLC0415

        read_toml(file, ConfigError)
        from pipeline.experiment.config import load_experiment  # noqa: PLC0415

        config = load_experiment(file, tuple(overrides or ()))
        from pipeline.experiment.command import experiment as job  # noqa: PLC0415 - scipy, torch

        place = output or Path("output/experiments") / file.stem
        typer.echo(job(config, place))
        typer.echo(f"table.csv, table.md and curves.csv are in {place}")
