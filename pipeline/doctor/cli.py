"""The command that examines a machine."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors

app = typer.Typer()


@app.command(rich_help_panel="Ship", epilog="Example: regatta doctor --output /scratch/fields")
def doctor(
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            help="folder of the fields", show_default="where a challenge mounts it, else ./output"
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
) -> None:
    """Say whether a run can work here, and what to do if not; needs no arguments and no data.

    Exit code: 0 it can; 1 something is in the way; 2 an argument cannot be used.
    """
    from pipeline.doctor.examine import blocked, examine, plan_for, show  # noqa: PLC0415

    with one_line_errors():
        records = examine(plan_for(output, device))
        show(records)
        if blocked(records):
            raise typer.Exit(1)
