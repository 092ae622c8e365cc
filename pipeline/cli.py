"""The command line `regatta`: the commands of all folders, one `cli.py` each."""

import sys
from typing import Annotated

import typer

from eval import cli as judge
from pipeline.container import cli as container
from pipeline.dataset import cli as dataset
from pipeline.doctor import cli as doctor
from pipeline.experiment import cli as experiment
from pipeline.prepare import cli as prepare
from pipeline.register import cli as register
from pipeline.segmentation import cli as segmentation
from pipeline.train import cli as train
from pipeline.transforms import cli as transforms
from pipeline.weights import cli as weights

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(wanted: bool | None) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        from pipeline.version import version_line  # noqa: PLC0415 - asks git

        typer.echo(version_line())
        raise typer.Exit


@app.callback()
def regatta(
    *,
    version: Annotated[
        bool | None,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show version and commit."
        ),
    ] = None,
) -> None:
    """Regatta: a Learn2Reg pair list in, compliant displacement fields out."""


app.add_typer(register.app)
app.add_typer(prepare.app)
app.add_typer(transforms.app)
app.add_typer(judge.commands)
app.add_typer(train.app)
app.add_typer(experiment.app)
app.add_typer(dataset.app, name="dataset", rich_help_panel="Train")
app.add_typer(segmentation.app)
app.add_typer(weights.app, name="weights", rich_help_panel="Train")
app.add_typer(container.app, name="container", rich_help_panel="Ship")
app.add_typer(doctor.app)


def main(program: str = "regatta") -> None:
    """Run the command line; five paths without a command are a `pair`."""
    app(register.with_command(sys.argv[1:]), prog_name=program)
