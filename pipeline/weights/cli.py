"""The commands about weights: what is in a file, is it good, and make it smaller and safer."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors

app = typer.Typer(no_args_is_help=True, help="Look into weights files, check and convert them.")

FileOrName = Annotated[Path, typer.Argument(help="a weights file, or a name in the registry")]


class Precision(StrEnum):
    """The precision of the floating-point numbers in a file."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


@app.command()
def inspect(weights: FileOrName) -> None:
    """Say what a file holds, which network it fits, and how a run file names it.

    Exit code: 0 it fits a network; 1 it fits none; 2 it cannot be read.
    """
    from models.weights.registry import find_weights  # noqa: PLC0415

    with one_line_errors():
        path = find_weights(weights)  # before torch: a wrong name is told at once
        from pipeline.weights.inspect import inspect_weights  # noqa: PLC0415

        report = inspect_weights(path, weights)
        typer.echo(report)
        if not report.run_file:
            raise typer.Exit(1)


@app.command()
def verify(
    weights: Annotated[
        list[Path] | None, typer.Argument(help="weights files, or names in the registry")
    ] = None,
    *,
    network: Annotated[
        str | None, typer.Option(help="the network that files must fit (else any)")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="all names in the registry")] = False,
) -> None:
    """Check the hash of weights, that they fit, and that the network's field is finite.

    Exit code: 0 all are good; 1 some are not; 2 there is no such file, name or network.
    """
    from pipeline.weights.request import chosen  # noqa: PLC0415

    with one_line_errors():
        what, bad = chosen(weights or [], everything=everything), 0
        from pipeline.weights.verify import verdicts  # noqa: PLC0415 - torch

        for verdict in verdicts(what, network):
            typer.echo(f"{'good' if verdict.good else 'bad '}  {verdict.text}")
            bad += not verdict.good
        if not what:
            typer.echo("no weights in the registry")
        if bad:
            raise typer.Exit(1)


@app.command()
def convert(
    weights: FileOrName,
    output: Annotated[Path, typer.Argument(help="the file to write, .safetensors")],
    *,
    dtype: Annotated[Precision, typer.Option(help="of its numbers")] = Precision.FLOAT32,
) -> None:
    """Write the network's weights alone, as safetensors, and print their entry for the registry.

    Integers and running statistics are never halved. A file that is there already is replaced only
    if it is the one that is read: give its name twice.

    Exit code: 0 written; 2 it cannot be read or written, or its numbers do not fit the precision.
    """
    from models.weights.registry import find_weights  # noqa: PLC0415
    from pipeline.weights.request import refuse_target  # noqa: PLC0415

    with one_line_errors():
        source = find_weights(weights)
        refuse_target(output, source)
        import torch  # noqa: PLC0415

        from models.weights.convert import convert as write  # noqa: PLC0415
        from pipeline.weights.inspect import registry_lines  # noqa: PLC0415

        state = write(source, output, getattr(torch, dtype))
        typer.echo(f"{output}: {len(state)} tensors, {output.stat().st_size:,} bytes")
        typer.echo("\n".join(["", *registry_lines(output, state)]))
