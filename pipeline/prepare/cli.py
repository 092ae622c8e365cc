"""The commands about raw heads: prepare, register-pair, to-native."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors, progress

app = typer.Typer()
PANEL = "Raw heads"

DeviceWord = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:n")]


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta prepare sub-01_T1w.nii.gz sub-02_T1w.nii.gz --output prepared",
)
def prepare(
    images: Annotated[list[Path], typer.Argument(help="heads, T1-weighted at best")],
    *,
    output: Annotated[Path, typer.Option(help="folder of the prepared images")],
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="label map of each image, in their order; may be repeated"),
    ] = None,
    resume: Annotated[bool, typer.Option(help="keep what was made before")] = True,
) -> None:
    """Bring raw heads onto LUMIR's grid: brain extraction, N4, affine to MNI152, one brightness.

    Exit code: 0 all are done; 1 some failed; 2 nothing can be done.
    """
    with one_line_errors():
        from pipeline.prepare.folder import SHEET, PrepareFolder, heads_of  # noqa: PLC0415 - torch
        from pipeline.workdir import open_folder  # noqa: PLC0415

        heads = heads_of(images, labels or [])
        folder = PrepareFolder(open_folder(output), resume)
        with progress(len(heads), "prepare") as advance:
            counts = folder(heads, advance)
        states = ", ".join(f"{n} {state}" for state, n in counts.items())
        typer.echo(f"{states} in {output}; look at {SHEET}")
        if counts["failed"]:
            raise typer.Exit(1)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta register-pair mine_T1w.nii.gz yours_T1w.nii.gz --output registered",
)
def register_pair(
    fixed: Annotated[Path, typer.Argument(help="head whose grid the results get")],
    moving: Annotated[Path, typer.Argument(help="head that is brought there")],
    *,
    output: Annotated[Path, typer.Option(help="folder of the results")],
    config: Annotated[
        str | None,
        typer.Option(help="run file, or its name", show_default="by the contrasts of both"),
    ] = None,
    device: DeviceWord = "auto",
) -> None:
    """Register two raw heads: both are prepared, and the results are in their own spaces.

    Exit code: 0 done; 2 it cannot be done.
    """
    with one_line_errors():
        from pipeline.prepare.pair import RawPair  # noqa: PLC0415 - torch

        typer.echo(RawPair(fixed, moving, output)(config, device))


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta to-native output/disp_0001_0002.nii.gz --fixed prepared/a.nii.gz "
    "--moving prepared/b.nii.gz --output native",
)
def to_native(
    field: Annotated[Path, typer.Argument(help="field of a run on prepared images")],
    *,
    fixed: Annotated[Path, typer.Option(help="prepared fixed image")],
    moving: Annotated[Path, typer.Option(help="prepared moving image")],
    output: Annotated[Path, typer.Option(help="folder of the results")],
) -> None:
    """Bring a field between prepared images to the spaces of the heads they were made of.

    Exit code: 0 done; 2 it cannot be done.
    """
    with one_line_errors():
        from pipeline.prepare.native import NativePair, prepared_transform  # noqa: PLC0415 - numpy

        residual = NativePair.of(fixed, moving).write(prepared_transform(field), output)
        typer.echo(f"{output}: inverse: {residual}")
